//! Which known name a wrong one was meant to be.

/// The most letters of a word that is compared.
const MOST_LETTERS: usize = 100;

/// Of `names`, the one most likely meant by `wrong`, if any is near enough.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let letters = wrong.chars().count();
    if letters > MOST_LETTERS {
        return None;
    }
    let limit = (letters / 3).max(1);
    let names: Vec<&str> = names.into_iter().collect();
    let near = names
        .iter()
        .copied()
        // Words are at least as far apart as their lengths.
        .filter(|name| name.chars().count().abs_diff(letters) <= limit)
        // Of two letters the first says most: `lr` is not nearly `R`.
        .filter(|name| letters != 2 || name.chars().count() == 2 || same_letter(wrong, name))
        .map(|name| (edits(wrong, name), name))
        // Something of the word must be left: `M` is not nearly `y`.
        .filter(|(distance, name)| {
            *distance <= limit && *distance < letters.max(name.chars().count())
        })
        .min_by_key(|(distance, name)| (*distance, *name))
        .map(|(_, name)| name);
    near.or_else(|| names.into_iter().find(|name| shortened(wrong, name)))
}

/// Whether a name is a part of a longer one: a word of it, its initials, or its beginning, as `length`,
/// `lr` and `eps` are of `max_length`, `learning_rate` and `epsilon`.
fn shortened(long: &str, name: &str) -> bool {
    let words: Vec<&str> = long.split('_').filter(|word| !word.is_empty()).collect();
    let initials: String = words.iter().filter_map(|word| word.chars().next()).collect();
    let letters = name.chars().count();
    letters >= 2 && initials == name
        || letters >= 3 && (words.len() > 1 && words.contains(&name) || long.starts_with(name))
}

/// Whether two words begin with the same letter.
fn same_letter(left: &str, right: &str) -> bool {
    left.to_lowercase().chars().next() == right.to_lowercase().chars().next()
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn edits(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut rows = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in 0..=left.len() {
        for j in 0..=right.len() {
            rows[i][j] = if i == 0 || j == 0 {
                i + j
            } else {
                let replace = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
                let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
                if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                    best = best.min(rows[i - 2][j - 2] + 1);
                }
                best
            };
        }
    }
    rows[left.len()][right.len()]
}
