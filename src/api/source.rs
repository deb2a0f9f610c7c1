//! Bytes of a credential: in a file that may be replaced, or given once.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// The largest file of a credential that is read.
const LARGEST: u64 = 1024 * 1024;

/// Where a token, certificate or key comes from.
#[derive(Clone)]
pub enum Source {
    /// A file, read again from time to time: the kubelet swaps a symlink under it.
    File(PathBuf),
    /// The bytes themselves.
    Data(Vec<u8>),
}

impl Source {
    /// Reads it.
    ///
    /// # Errors
    /// Where the file cannot be read, is empty or too large.
    pub fn read(&self) -> io::Result<Vec<u8>> {
        match self {
            Self::Data(bytes) => Ok(bytes.clone()),
            Self::File(path) => match read_bounded(path, LARGEST)? {
                bytes if bytes.is_empty() => {
                    Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"))
                }
                bytes => Ok(bytes),
            },
        }
    }

    /// Whether it can change.
    #[must_use]
    pub const fn changes(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

/// Says where, never what.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Data(_) => f.write_str("data of the kubeconfig"),
        }
    }
}

/// Reads a file of at most `largest` bytes.
///
/// # Errors
/// Where it cannot be read or is larger.
pub fn read_bounded(path: &Path, largest: u64) -> io::Result<Vec<u8>> {
    use io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(largest + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        size if size > largest => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the file has more than {largest} bytes"),
        )),
        _ => Ok(bytes),
    }
}
