//! What is made of files, and made anew when they change.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::ServeError;

/// How often files are looked at. What is compared is their content: times of change miss replaced links and quick changes.
const EVERY: Duration = Duration::from_secs(1);
/// A certificate chain, a key or a list of tokens is no longer than this.
const LARGEST: u64 = 1 << 20;

/// The present value. Cheap to clone; clones change together.
pub(crate) struct Live<T>(Arc<RwLock<Arc<T>>>);

impl<T> Clone for Live<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Live<T> {
    pub(crate) fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Makes a value of the contents of files, or says in one line why it cannot.
type Make<T> = dyn Fn(&[Vec<u8>]) -> Result<T, String> + Send + Sync;

/// Files and what is made of them.
pub(crate) struct Source<T> {
    /// What the log calls it.
    pub(crate) what: &'static str,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) make: Box<Make<T>>,
}

impl<T: Send + Sync + 'static> Source<T> {
    /// The value, kept up to date until the last clone of it is dropped. Files that cannot be read or understood later on leave it
    /// as it is, and the log says so once.
    ///
    /// # Errors
    ///
    /// [`ServeError::Config`] when there is no first value.
    pub(crate) fn open(self) -> Result<Live<T>, ServeError> {
        let contents = self.read().map_err(ServeError::Config)?;
        let value = (self.make)(&contents).map_err(ServeError::Config)?;
        let live = Live(Arc::new(RwLock::new(Arc::new(value))));
        tokio::spawn(self.follow(live.clone(), digest(Ok(&contents))));
        Ok(live)
    }

    async fn follow(self, live: Live<T>, mut seen: Vec<u8>) {
        let weak = Arc::downgrade(&live.0);
        drop(live);
        let source = Arc::new(self);
        loop {
            tokio::time::sleep(EVERY).await;
            let Some(place) = weak.upgrade() else { return };
            let reading = Arc::clone(&source);
            let Ok(found) = tokio::task::spawn_blocking(move || reading.read()).await else {
                continue;
            };
            let now = digest(found.as_ref());
            if now == seen {
                continue;
            }
            seen = now;
            match found.and_then(|contents| (source.make)(&contents)) {
                Ok(value) => {
                    *place.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
                    tracing::info!("{}: read again, and in use", source.what);
                }
                Err(error) => {
                    tracing::error!("{}: {error}; the old ones stay in use", source.what);
                }
            }
        }
    }

    fn read(&self) -> Result<Vec<Vec<u8>>, String> {
        self.files.iter().map(|path| read(path)).collect()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut content = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut content))
        .map_err(named)?;
    if content.len() as u64 > LARGEST {
        return Err(format!("{}: longer than {LARGEST} bytes", path.display()));
    }
    Ok(content)
}

/// Of contents or of why there are none. The contents themselves are not kept: there is a key among them.
fn digest(found: Result<&Vec<Vec<u8>>, &String>) -> Vec<u8> {
    let mut hash = Sha256::new();
    match found {
        Ok(contents) => {
            for content in contents {
                hash.update(content.len().to_le_bytes());
                hash.update(content);
            }
        }
        Err(error) => hash.update(error),
    }
    hash.finalize().to_vec()
}
