//! Vectors written one after the other: `.npy` with a table of names beside it, `.csv` or `.jsonl`.
//!
//! While it grows a file is called `X.npy.partial`; what was written can be taken back to a [`Mark`], which is how
//! a clip that fails half-way leaves nothing behind, and how an interrupted file goes on.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// A file that could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {source}", .path.display())]
pub struct VectorFileError {
    /// The file, while it grows with `.partial` at its end.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// What kind of file the vectors go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// NumPy, float32 `[rows, cols]`; the names go to a `.csv` of the same name.
    Npy,
    /// `file,start_s,v0,v1,...`
    Csv,
    /// `{"file": ..., "start_s": ..., "vector": [...]}` a line.
    JsonLines,
}

impl Format {
    /// By the extension; `None` for others.
    pub fn of(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()? {
            "npy" => Some(Format::Npy),
            "csv" => Some(Format::Csv),
            "jsonl" => Some(Format::JsonLines),
            _ => None,
        }
    }

    /// Where the names go, if not into the file itself.
    pub fn names_of(self, path: &Path) -> Option<PathBuf> {
        (self == Format::Npy).then(|| path.with_extension("csv"))
    }
}

/// How much was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Vectors.
    pub rows: u64,
    bytes: u64,
    names_bytes: u64,
}

/// A file of vectors that is being written.
pub struct VectorFile {
    format: Format,
    cols: usize,
    rows: u64,
    vectors: Part,
    names: Option<Part>,
}

/// Bytes of the header: NumPy aligns the data to 64, and this leaves room for any number of rows.
const NPY_HEADER_BYTES: usize = 128;

impl VectorFile {
    /// Starts a file of vectors of `cols` numbers.
    ///
    /// # Errors
    /// [`VectorFileError`], as of all that write here.
    pub fn create(path: &Path, format: Format, cols: usize) -> Result<VectorFile, VectorFileError> {
        let mut file = VectorFile {
            format,
            cols,
            rows: 0,
            vectors: Part::open(path, true)?,
            names: format.names_of(path).map(|names| Part::open(&names, true)).transpose()?,
        };
        match format {
            // The number of rows is put in at the end.
            Format::Npy => file.vectors.append(&npy_header(0, cols))?,
            Format::Csv => {
                let columns = (0..cols).map(|c| format!("v{c}"));
                file.vectors.append(&csv_line(["file".to_owned(), "start_s".into()].into_iter().chain(columns)))?;
            }
            Format::JsonLines => (),
        }
        if let Some(names) = &mut file.names {
            names.append(&csv_line(["file", "start_s"]))?;
        }
        Ok(file)
    }

    /// Goes on with the file that was left behind, from `mark` on.
    ///
    /// # Errors
    /// As [`VectorFile::create`], also when less is left than `mark` says.
    pub fn reopen(path: &Path, format: Format, cols: usize, mark: Mark) -> Result<VectorFile, VectorFileError> {
        let names = format.names_of(path).map(|names| Part::open(&names, false)).transpose()?;
        let mut file = VectorFile { format, cols, rows: 0, vectors: Part::open(path, false)?, names };
        file.back_to(mark)?;
        Ok(file)
    }

    /// Adds a vector. Times are written with as many digits as tell them apart.
    ///
    /// # Panics
    /// If the vector has another length than the file's.
    #[track_caller]
    pub fn push(&mut self, file: &str, start_s: f64, vector: &[f32]) -> Result<(), VectorFileError> {
        assert_eq!(vector.len(), self.cols, "numbers of a vector");
        let bytes = match self.format {
            Format::Npy => vector.iter().flat_map(|x| x.to_le_bytes()).collect(),
            Format::Csv => {
                let start = [file.to_owned(), start_s.to_string()];
                csv_line(start.into_iter().chain(vector.iter().map(f32::to_string)))
            }
            Format::JsonLines => {
                let mut line = serde_json::to_vec(&Line { file: file.into(), start_s, vector: vector.into() })
                    .expect("text and numbers can be written to memory");
                line.push(b'\n');
                line
            }
        };
        self.vectors.append(&bytes)?;
        if let Some(names) = &mut self.names {
            names.append(&csv_line([file, &start_s.to_string()]))?;
        }
        self.rows += 1;
        Ok(())
    }

    /// Where the file ends now.
    pub fn mark(&self) -> Mark {
        Mark { rows: self.rows, bytes: self.vectors.len, names_bytes: self.names.as_ref().map_or(0, |n| n.len) }
    }

    /// Drops what was written since.
    pub fn back_to(&mut self, mark: Mark) -> Result<(), VectorFileError> {
        self.rows = mark.rows;
        self.vectors.cut(mark.bytes)?;
        self.names.as_mut().map_or(Ok(()), |names| names.cut(mark.names_bytes))
    }

    /// Brings everything to the disk.
    pub fn sync(&mut self) -> Result<(), VectorFileError> {
        self.vectors.sync()?;
        self.names.as_mut().map_or(Ok(()), Part::sync)
    }

    /// Gives the files their names, those of an earlier file included. Returns the number of vectors.
    pub fn finish(mut self) -> Result<u64, VectorFileError> {
        if self.format == Format::Npy {
            self.vectors.write_at_start(&npy_header(self.rows, self.cols))?;
        }
        if let Some(names) = self.names {
            names.finish()?;
        }
        self.vectors.finish()?;
        Ok(self.rows)
    }
}

impl VectorFile {
    /// Removes what was written. Returns the number of vectors that are left.
    pub fn discard(self) -> Result<u64, VectorFileError> {
        for part in [Some(self.vectors), self.names].into_iter().flatten() {
            std::fs::remove_file(&part.partial).map_err(|source| VectorFileError { path: part.partial, source })?;
        }
        Ok(0)
    }
}

/// `X.npy` -> `X.npy.partial`.
pub fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// A line of JSON.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    file: Cow<'a, str>,
    start_s: f64,
    vector: Cow<'a, [f32]>,
}

/// Hands the vectors of a finished file to `take`, one after the other.
///
/// # Errors
/// [`VectorFileError`], also for a file that is not of this format or whose vectors differ in length.
pub fn read_vectors(path: &Path, format: Format, mut take: impl FnMut(&[f32])) -> Result<(), VectorFileError> {
    let mut read = || -> io::Result<()> {
        let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let mut reader = BufReader::with_capacity(1 << 18, File::open(path)?);
        match format {
            Format::Npy => {
                let npy = npyz::NpyFile::new(&mut reader)?;
                let &[_, cols] = npy.shape() else { return Err(bad("not a matrix")) };
                let mut row = Vec::with_capacity(cols as usize);
                for value in npy.data::<f32>().map_err(io::Error::other)? {
                    row.push(value?);
                    if row.len() as u64 == cols {
                        take(&row);
                        row.clear();
                    }
                }
            }
            Format::Csv => {
                for row in csv::Reader::from_reader(reader).records() {
                    let row = row?;
                    let numbers: Result<Vec<f32>, _> = row.iter().skip(2).map(str::parse).collect();
                    take(&numbers.map_err(|_| bad("a field is not a number"))?);
                }
            }
            Format::JsonLines => {
                for line in reader.lines() {
                    take(&serde_json::from_str::<Line>(&line?)?.vector);
                }
            }
        }
        Ok(())
    };
    read().map_err(|source| VectorFileError { path: path.to_owned(), source })
}

/// One growing file.
struct Part {
    path: PathBuf,
    partial: PathBuf,
    file: BufWriter<File>,
    len: u64,
}

impl Part {
    fn open(path: &Path, anew: bool) -> Result<Part, VectorFileError> {
        let partial = partial_path(path);
        let file = OpenOptions::new().write(true).create(anew).truncate(anew).open(&partial);
        let file = file.map_err(|source| VectorFileError { path: partial.clone(), source })?;
        Ok(Part { path: path.to_owned(), partial, file: BufWriter::with_capacity(1 << 18, file), len: 0 })
    }

    fn check<T>(&self, result: io::Result<T>) -> Result<T, VectorFileError> {
        result.map_err(|source| VectorFileError { path: self.partial.clone(), source })
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), VectorFileError> {
        let written = self.file.write_all(bytes);
        self.check(written)?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    fn cut(&mut self, len: u64) -> Result<(), VectorFileError> {
        let result = self.file.flush().and_then(|()| {
            if self.file.get_ref().metadata()?.len() < len {
                return Err(io::Error::other("it is shorter than it was when it was left"));
            }
            self.file.get_ref().set_len(len)?;
            self.file.seek(SeekFrom::Start(len)).map(|_| ())
        });
        self.check(result)?;
        self.len = len;
        Ok(())
    }

    fn sync(&mut self) -> Result<(), VectorFileError> {
        let result = self.file.flush().and_then(|()| self.file.get_ref().sync_data());
        self.check(result)
    }

    fn write_at_start(&mut self, bytes: &[u8]) -> Result<(), VectorFileError> {
        let result = self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.write_all(bytes));
        self.check(result)
    }

    fn finish(mut self) -> Result<(), VectorFileError> {
        self.sync()?;
        std::fs::rename(&self.partial, &self.path).map_err(|source| VectorFileError { path: self.path, source })
    }
}

/// The header of a float32 array of this shape, filled up with spaces to its fixed length.
fn npy_header(rows: u64, cols: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(NPY_HEADER_BYTES);
    header.extend(b"\x93NUMPY\x01\x00");
    header.extend((NPY_HEADER_BYTES as u16 - 10).to_le_bytes());
    header.extend(format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {cols}), }}").bytes());
    header.resize(NPY_HEADER_BYTES - 1, b' ');
    header.push(b'\n');
    header
}

fn csv_line<T: AsRef<[u8]>>(fields: impl IntoIterator<Item = T>) -> Vec<u8> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(fields).expect("a line of any fields can be written to memory");
    csv.into_inner().expect("memory takes all bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["a, b.wav", "\"c\".wav", "d.wav"];

    fn vector(i: usize) -> Vec<f32> {
        vec![i as f32 + 0.1, -1.0 / 3.0, f32::MIN_POSITIVE, 3.0e38, -0.0]
    }

    fn fill(file: &mut VectorFile, rows: std::ops::Range<usize>) {
        rows.for_each(|i| file.push(NAMES[i], i as f64 * 0.0625, &vector(i)).unwrap());
    }

    #[test]
    fn every_format_reads_back_and_goes_on_where_it_was_left() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["x.npy", "x.csv", "x.jsonl"] {
            let (path, again) = (folder.path().join(name), folder.path().join(format!("again-{name}")));
            let format = Format::of(&path).unwrap();
            let mut file = VectorFile::create(&path, format, 5).unwrap();
            fill(&mut file, 0..3);
            assert!(!path.exists());
            assert_eq!(file.finish().unwrap(), 3);

            let mut file = VectorFile::create(&again, format, 5).unwrap();
            fill(&mut file, 0..1);
            let mark = file.mark();
            fill(&mut file, 2..3);
            file.back_to(mark).unwrap();
            fill(&mut file, 1..2);
            file.sync().unwrap();
            let mark = file.mark();
            fill(&mut file, 1..2);
            drop(file);
            let mut file = VectorFile::reopen(&again, format, 5, mark).unwrap();
            fill(&mut file, 2..3);
            assert_eq!(file.finish().unwrap(), 3);

            let bytes = std::fs::read(&path).unwrap();
            assert_eq!(bytes, std::fs::read(&again).unwrap(), "{name}");
            let mut rows = Vec::new();
            read_vectors(&path, format, |row| rows.push(row.to_vec())).unwrap();
            assert_eq!(rows, [vector(0), vector(1), vector(2)], "{name}");
            if let Some(names) = format.names_of(&path) {
                let text = std::fs::read_to_string(&names).unwrap();
                assert_eq!(text, "file,start_s\n\"a, b.wav\",0\n\"\"\"c\"\".wav\",0.0625\nd.wav,0.125\n");
                std::fs::remove_file(names).unwrap();
            }
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn an_npy_header_of_any_size_is_one_that_npyz_knows() {
        for (rows, cols) in [(0, 1280), (1, 1), (u64::MAX, 1280)] {
            let header = npy_header(rows, cols);
            assert_eq!(header.len(), NPY_HEADER_BYTES);
            assert_eq!(npyz::NpyFile::new(&header[..]).unwrap().shape(), [rows, cols as u64]);
        }
    }

    #[test]
    fn a_file_that_shrank_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let mut file = VectorFile::create(&path, Format::Npy, 5).unwrap();
        fill(&mut file, 0..2);
        file.sync().unwrap();
        let mark = file.mark();
        OpenOptions::new().write(true).open(partial_path(&path)).unwrap().set_len(150).unwrap();
        let error = VectorFile::reopen(&path, Format::Npy, 5, mark).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("x.npy.partial") && error.contains("shorter"), "{error}");
    }
}
