//! "Did you mean".

/// `"; did you mean `x`?"` for the candidate nearest to `name`, or the list of candidates when none is near.
///
/// Near is an abbreviation to at least three characters, or an edit distance (insertions, deletions, substitutions, swaps of neighbours) of at most a third of the
/// longer word, and at least one edit.
///
/// ```
/// use assay_core::spec::did_you_mean;
/// assert_eq!(did_you_mean("wieght", &["kind", "weight"]), "; did you mean `weight`?");
/// assert_eq!(did_you_mean("colour", &["kind", "weight"]), "; expected one of `kind`, `weight`");
/// ```
pub fn did_you_mean(name: &str, candidates: &[&str]) -> String {
    let folded = name.to_lowercase().replace('-', "_");
    let abbreviated = |candidate: &&&str| folded.len() >= 3 && candidate.starts_with(&folded);
    if let Some(candidate) = candidates.iter().find(abbreviated) {
        return format!("; did you mean `{candidate}`?");
    }
    let nearest = candidates
        .iter()
        .map(|candidate| (distance(&folded, candidate), candidate))
        .min_by_key(|(edits, _)| *edits);
    match nearest {
        Some((edits, candidate)) if edits <= (folded.len().max(candidate.len()) / 3).max(1) => {
            format!("; did you mean `{candidate}`?")
        }
        _ => {
            let list: Vec<String> = candidates
                .iter()
                .map(|candidate| format!("`{candidate}`"))
                .collect();
            format!("; expected one of {}", list.join(", "))
        }
    }
}

/// Optimal string alignment distance over characters. Names longer than 64 characters are no misspelling.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().take(65).collect();
    let right: Vec<char> = right.chars().take(65).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, &a) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &b) in right.iter().enumerate() {
            let substituted = above[column] + usize::from(a != b);
            let mut best = substituted
                .min(above[column + 1] + 1)
                .min(current[column] + 1);
            let swapped = row > 0 && column > 0 && a == right[column - 1] && left[row - 1] == b;
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}
