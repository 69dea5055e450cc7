//! Best-fit decreasing bin packing.

use super::longest_first;
use super::rooms::Rooms;
use crate::{Error, Result};

/// Puts every sequence into a bin so that no bin holds more than `capacity` tokens, using few bins.
///
/// Best-fit decreasing: from the longest to the shortest, each sequence goes into the fullest bin that still has room (of
/// equally full ones, that which got something last), else into a new one. At most `11/9 * optimum + 6/9` bins (Johnson 1974;
/// Dósa 2007), in `O(n log n)`.
///
/// `lengths` are tokens (or any other cost); a length of 0 is allowed. `max_items` bounds the sequences per bin. Returns
/// the indices of each bin, bins in order of creation, longest sequence first.
///
/// # Errors
///
/// `InvalidInput` when a length is over `capacity`, `capacity` or `max_items` is 0, or there are `u32::MAX` sequences or more.
///
/// ```
/// let bins = assay_core::batch::pack(&[5, 3, 6, 2], 8, None)?;
/// assert_eq!(bins, [vec![2, 3], vec![0, 1]]);
/// # Ok::<(), assay_core::Error>(())
/// ```
pub fn pack(lengths: &[u64], capacity: u64, max_items: Option<usize>) -> Result<Vec<Vec<usize>>> {
    if capacity == 0 {
        return Err(Error::input("capacity is 0; it must be at least 1"));
    }
    if max_items == Some(0) {
        return Err(Error::input("max_items is 0; it must be at least 1"));
    }
    if lengths.len() >= u32::MAX as usize {
        return Err(Error::input(format!(
            "there are {} sequences; pack fewer than {} at a time",
            lengths.len(),
            u32::MAX
        )));
    }
    if let Some(index) = lengths.iter().position(|&length| length > capacity) {
        return Err(Error::input(format!(
            "lengths[{index}] is {} but capacity is {capacity}; truncate the sequence or raise the capacity",
            lengths[index]
        )));
    }
    let max_items = max_items.map_or(u32::MAX, |most| u32::try_from(most).unwrap_or(u32::MAX));
    // How many each bin holds.
    let mut sizes: Vec<u32> = Vec::new();
    // Every bin that can take one more, by the room that is left; the first with enough of it is the fullest.
    let mut open = Rooms::new(capacity, lengths.len());
    let order = longest_first(lengths);
    let mut chosen = Vec::with_capacity(order.len());
    for &index in &order {
        let length = lengths[index];
        let (room, bin) = open.take(length).unwrap_or_else(|| {
            sizes.push(0);
            (capacity, sizes.len() as u32 - 1)
        });
        chosen.push(bin);
        let size = &mut sizes[bin as usize];
        *size += 1;
        if *size < max_items {
            open.put(room - length, bin);
        }
    }
    let empty = |&size: &u32| Vec::with_capacity(size as usize);
    let mut bins: Vec<Vec<usize>> = sizes.iter().map(empty).collect();
    for (index, bin) in order.into_iter().zip(chosen) {
        bins[bin as usize].push(index);
    }
    Ok(bins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definition, read aloud: look at every bin for every sequence.
    fn twin(lengths: &[u64], capacity: u64, max_items: usize) -> Vec<Vec<usize>> {
        let mut bins: Vec<Vec<usize>> = Vec::new();
        // Which sequence, in their order, each bin got last.
        let mut filled: Vec<usize> = Vec::new();
        for (time, index) in longest_first(lengths).into_iter().enumerate() {
            let used = |bin: usize| bins[bin].iter().map(|&item| lengths[item]).sum::<u64>();
            let fits = |bin: &usize| {
                bins[*bin].len() < max_items && used(*bin) + lengths[index] <= capacity
            };
            let fullest = (0..bins.len())
                .filter(fits)
                .max_by_key(|&bin| (used(bin), filled[bin]));
            if let Some(bin) = fullest {
                bins[bin].push(index);
                filled[bin] = time;
            } else {
                bins.push(vec![index]);
                filled.push(time);
            }
        }
        bins
    }

    proptest! {
        #[test]
        fn same_bins_as_the_definition(
            lengths in prop::collection::vec(0u64..=20, 0..40), capacity in 20u64..40, max_items in 1usize..6,
        ) {
            prop_assert_eq!(pack(&lengths, capacity, Some(max_items)).expect("fits"), twin(&lengths, capacity, max_items));
            prop_assert_eq!(pack(&lengths, capacity, None).expect("fits"), twin(&lengths, capacity, usize::MAX));
            // A capacity for which there is no table.
            let long: Vec<u64> = lengths.iter().map(|length| length << 40).collect();
            prop_assert_eq!(pack(&long, capacity << 40, None).expect("fits"), twin(&long, capacity << 40, usize::MAX));
        }
    }

    #[test]
    fn bad_input_names_the_sequence() {
        let error = pack(&[3, 9], 8, None).unwrap_err().to_string();
        assert!(
            error.starts_with("lengths[1] is 9 but capacity is 8"),
            "{error}"
        );
        assert!(pack(&[], 0, None).is_err() && pack(&[], 1, Some(0)).is_err());
        assert!(
            pack(&[], 1, None)
                .expect("no sequences, no bins")
                .is_empty()
        );
    }
}
