//! Where the messages of a gRPC body begin and end: each has a byte, its length in four bytes, and that many bytes.

/// Follows a body without keeping any of it.
#[derive(Debug, Default)]
pub(super) struct Framing {
    head: [u8; 5],
    /// Bytes of `head` that are there.
    known: usize,
    /// Bytes of the message that are still to come, once the head is whole.
    missing: usize,
    /// Bytes of the message that are there, its head included.
    partial: usize,
}

impl Framing {
    /// Takes the next bytes. Returns how many bytes there are now of a message that is not whole, and whether one ended.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> (usize, bool) {
        let mut ended = false;
        while !bytes.is_empty() {
            if self.known < self.head.len() {
                let take = (self.head.len() - self.known).min(bytes.len());
                self.head[self.known..self.known + take].copy_from_slice(&bytes[..take]);
                self.known += take;
                self.partial += take;
                bytes = &bytes[take..];
                if self.known < self.head.len() {
                    break;
                }
                let [_, length @ ..] = self.head;
                self.missing = u32::from_be_bytes(length) as usize;
            }
            let take = self.missing.min(bytes.len());
            self.missing -= take;
            self.partial += take;
            bytes = &bytes[take..];
            if self.missing == 0 {
                *self = Self::default();
                ended = true;
            }
        }
        (self.partial, ended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_end_where_they_end_however_they_are_cut() {
        let body = [
            &[0, 0, 0, 0, 3, 1, 2, 3][..],
            &[0, 0, 0, 0, 0],
            &[1, 0, 0, 1, 0],
        ]
        .concat();
        for size in 1..=body.len() {
            let mut framing = Framing::default();
            let mut whole = 0;
            let mut partial = 0;
            for part in body.chunks(size) {
                let (now, ended) = framing.feed(part);
                whole += usize::from(ended);
                partial = now;
            }
            assert_eq!(partial, 5, "the head of the last one, by {size}");
            assert!((1..=2).contains(&whole), "by {size}");
        }
        let mut framing = Framing::default();
        assert_eq!(framing.feed(&[0, 0, 0, 0, 9, 7, 7]), (7, false));
        assert_eq!(framing.feed(&[7; 7]), (0, true));
    }
}
