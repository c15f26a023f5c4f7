//! Matrices as NumPy `.npy` files and the tables beside them as CSV.

use std::io;
use std::path::Path;

use npyz::WriterBuilder;

use crate::train::atomic::{WriteError, write_atomic};

/// Writes `values`, row-major `[rows, cols]`, as a little-endian f32 array of that shape; `numpy.load` reads it.
///
/// # Errors
/// [`WriteError`]; a file already there is then kept.
///
/// # Panics
/// If `values` is not `rows * cols` long.
#[track_caller]
pub fn write_npy(path: &Path, values: &[f32], rows: usize, cols: usize) -> Result<(), WriteError> {
    assert_eq!(values.len(), rows * cols, "values in a {rows} x {cols} matrix");
    write_atomic(path, |file| {
        let mut npy =
            npyz::WriteOptions::new().default_dtype().shape(&[rows as u64, cols as u64]).writer(file).begin_nd()?;
        npy.extend(values.iter().copied())?;
        npy.finish()
    })
}

/// Writes a CSV file with a `header`; fields with commas, quotes or line breaks are quoted.
///
/// # Errors
/// [`WriteError`]; a file already there is then kept. A row of another length than the header is an error too.
pub fn write_csv<Row>(path: &Path, header: &[&str], rows: impl IntoIterator<Item = Row>) -> Result<(), WriteError>
where
    Row: IntoIterator<Item: AsRef<[u8]>>,
{
    write_atomic(path, |file| {
        let mut csv = csv::Writer::from_writer(file);
        csv.write_record(header).map_err(io::Error::from)?;
        for row in rows {
            csv.write_record(row).map_err(io::Error::from)?;
        }
        csv.flush()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn npy_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let values = [1.0, -2.5, f32::MIN_POSITIVE, 3.0e38, 0.0, -0.0];
        write_npy(&path, &values, 2, 3).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        // The header's own text, which other readers look at, and its padding to 64 bytes.
        let header = String::from_utf8_lossy(&bytes[..bytes.len() - 24]).into_owned();
        assert!(header.contains("'<f4'") && header.contains("(2, 3"), "{header}");
        assert_eq!((bytes.len() - 24) % 64, 0);
        let npy = npyz::NpyFile::new(&bytes[..]).unwrap();
        assert_eq!(npy.shape(), [2, 3]);
        assert_eq!(npy.into_vec::<f32>().unwrap(), values);
    }

    #[test]
    fn an_empty_matrix_has_its_shape() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        write_npy(&path, &[], 0, 1280).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(npyz::NpyFile::new(&bytes[..]).unwrap().shape(), [0, 1280]);
    }

    #[test]
    fn csv_quotes_what_needs_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        write_csv(&path, &["file", "start_s"], [["a, b.wav", "0.98"], ["\"c\".wav", "0"]]).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "file,start_s\n\"a, b.wav\",0.98\n\"\"\"c\"\".wav\",0\n");
        assert!(write_csv(&path, &["file"], [["a", "b"]]).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }
}
