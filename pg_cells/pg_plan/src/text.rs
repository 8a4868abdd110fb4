//! Parentheses in expressions that are kept as text.

/// Whether the first parenthesis is closed by the last character.
#[must_use]
pub fn encloses(text: &str) -> bool {
    let (mut depth, mut quote) = (0i32, None);
    if !text.starts_with('(') {
        return false;
    }
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => {
                depth -= 1;
                if depth == 0 {
                    return at + 1 == text.len();
                }
            }
            _ => {}
        }
    }
    false
}

/// A text without the parentheses around it.
#[must_use]
pub fn unparenthesized(text: &str) -> &str {
    match encloses(text) {
        true => &text[1..text.len() - 1],
        false => text,
    }
}

/// Whether an expression is a call: a name, and all of its arguments.
#[must_use]
pub fn is_call(text: &str) -> bool {
    let Some(open) = text.find('(') else {
        return false;
    };
    let (name, arguments) = text.split_at(open);
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    !name.is_empty() && name.chars().all(word) && encloses(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_are_seen() {
        assert!(encloses("(a > 1)"));
        assert!(encloses("((a) > ')')"));
        assert!(!encloses("(a) > (b)"));
        assert!(is_call("lower(a)") && !is_call("lower(a) || upper(b)") && !is_call("(a)"));
        assert_eq!(unparenthesized("(a + (b))"), "a + (b)");
        assert_eq!(unparenthesized("(a) + (b)"), "(a) + (b)");
    }
}
