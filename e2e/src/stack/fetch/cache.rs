//! The cache of downloads: outside of the checkout, shared by all of them, filled once even by parallel processes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;

/// The cache's folder: `$TRIBUTARY_CACHE`, else `tributary` in the user's cache folder.
pub(crate) fn directory() -> anyhow::Result<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("TRIBUTARY_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("tributary")))
        .or_else(|| set("HOME").map(|home| home.join(".cache").join("tributary")))
        .context("there is no place for downloads: set TRIBUTARY_CACHE to a folder, or HOME")
}

/// Something that is downloaded once: a folder whose name carries the hash of what it was made from.
pub(crate) struct Download<'a> {
    /// First part of the folder's name.
    pub(crate) name: &'a str,
    /// What it is, for the person who waits, with its size.
    pub(crate) title: &'a str,
    /// What decides its content: the folder is made anew when this text changes.
    pub(crate) recipe: &'a str,
    /// Downloads with the same tool wait for each other: it may not like to run twice.
    pub(crate) tool: &'a str,
}

const COMPLETE: &str = ".complete";

impl Download<'_> {
    /// Where the download is, or will be.
    pub(crate) fn path(&self) -> anyhow::Result<PathBuf> {
        let hash = xxhash_rust::xxh3::xxh3_64(self.recipe.as_bytes());
        Ok(directory()?.join(format!("{}-{hash:016x}", self.name)))
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_there(&self) -> anyhow::Result<bool> {
        Ok(self.path()?.join(COMPLETE).exists())
    }

    /// The folder, filled by `fill` unless it already is. Blocks, also while another process fills it.
    pub(crate) fn get(&self, fill: impl FnOnce(&Path) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
        let path = self.path()?;
        if self.is_there()? {
            return Ok(path);
        }
        let _lock = self.lock()?;
        if self.is_there()? {
            return Ok(path);
        }
        let start = Instant::now();
        tracing::info!("fetching {}…", self.title);
        start_afresh(&path)?;
        fill(&path).with_context(|| format!("cannot fetch {}", self.title))?;
        File::create(path.join(COMPLETE)).with_context(|| format!("cannot write to {}", path.display()))?;
        tracing::info!("fetched {} in {:.0} s", self.title, start.elapsed().as_secs_f64());
        Ok(path)
    }

    fn lock(&self) -> anyhow::Result<File> {
        let directory = directory()?;
        std::fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let path = directory.join(format!("{}.lock", self.tool));
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.with_context(|| format!("cannot create {}", path.display()))?;
        if lock.try_lock().is_err() {
            tracing::info!("waiting for another download ({})…", self.tool);
            lock.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        }
        Ok(lock)
    }
}

/// What a broken-off download left is removed.
fn start_afresh(path: &Path) -> anyhow::Result<()> {
    if path.exists() {
        std::fs::remove_dir_all(path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    std::fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// In the real cache, under a name of its own: the environment of a test process is not changed.
    fn download(recipe: &str) -> Download<'_> {
        Download { name: "cache-test", title: "a test", recipe, tool: "cache-test" }
    }

    fn remove(download: &Download<'_>) {
        std::fs::remove_dir_all(download.path().unwrap()).unwrap();
    }

    #[test]
    fn parallel_users_of_a_download_fetch_it_once() {
        let recipe = format!("parallel {}", std::process::id());
        let filled = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let fill = |path: &Path| {
                        Ok(std::fs::write(path.join(filled.fetch_add(1, Ordering::SeqCst).to_string()), "")?)
                    };
                    download(&recipe).get(fill).unwrap();
                });
            }
        });
        assert_eq!(filled.into_inner(), 1);
        remove(&download(&recipe));
    }

    #[test]
    fn a_download_that_broke_off_is_made_anew() {
        let recipe = format!("broken {}", std::process::id());
        let download = download(&recipe);
        let error = download.get(|path| {
            std::fs::write(path.join("half"), "")?;
            anyhow::bail!("the network is gone")
        });
        assert!(format!("{:#}", error.unwrap_err()).ends_with("the network is gone"));
        let path = download.get(|path| Ok(std::fs::write(path.join("whole"), "")?)).unwrap();
        assert!(path.join("whole").exists() && !path.join("half").exists());
        remove(&download);
    }
}
