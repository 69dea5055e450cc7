//! The threads that score.

use std::sync::Arc;
use std::time::Instant;

use crate::ServeError;
use crate::work::Queue;

/// The threads that score; they end when this is dropped.
pub(super) struct Threads {
    count: usize,
    queue: Arc<Queue>,
}

impl Threads {
    pub(super) fn start(count: usize, queue: &Arc<Queue>) -> Result<Self, ServeError> {
        let threads = Self {
            count,
            queue: Arc::clone(queue),
        };
        for index in 0..count {
            let queue = Arc::clone(queue);
            std::thread::Builder::new()
                .name(format!("assay-score-{index}"))
                .spawn(move || work(&queue))
                .map_err(|error| ServeError::Io(error.to_string()))?;
        }
        Ok(threads)
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        self.queue.close();
    }
}

fn work(queue: &Queue) {
    while let Some((tenant, work, slice)) = queue.next() {
        let (cost, began) = (slice.cost, Instant::now());
        work.run(slice);
        queue.settle(&tenant, cost, began.elapsed());
    }
}
