//! A list of lists of strings as Python's `pickle.load` reads it: protocol 2, five of its instructions.

/// `]` puts an empty list on the stack, `(` a mark, `X` a string; `e` appends all above the mark to the list below it.
pub fn dumps(lists: &[Vec<String>]) -> Vec<u8> {
    let mut out = b"\x80\x02".to_vec();
    list(&mut out, lists, |out, inner| {
        list(out, inner, |out, text| {
            out.push(b'X');
            let length = u32::try_from(text.len()).expect("a label is shorter than 4 GB");
            out.extend(length.to_le_bytes());
            out.extend(text.as_bytes());
        });
    });
    out.push(b'.');
    out
}

fn list<T>(out: &mut Vec<u8>, items: &[T], mut item: impl FnMut(&mut Vec<u8>, &T)) {
    out.extend(b"](");
    items.iter().for_each(|value| item(out, value));
    out.push(b'e');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_python_reads() {
        // pickle.loads gives [['a', 'ü'], []]
        let expected = b"\x80\x02](](X\x01\x00\x00\x00aX\x02\x00\x00\x00\xc3\xbce](ee.";
        assert_eq!(dumps(&[vec!["a".into(), "ü".into()], vec![]]), expected);
    }
}
