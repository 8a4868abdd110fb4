//! A session's statements and portals by name. The one without a name is what
//! drivers use most, so it has a place of its own, and costs no search.

use alloc::collections::BTreeMap;
use alloc::string::String;

/// Things by name.
#[derive(Clone, Debug)]
pub struct Named<T> {
    unnamed: Option<T>,
    others: BTreeMap<String, T>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Named {
            unnamed: None,
            others: BTreeMap::new(),
        }
    }
}

impl<T> Named<T> {
    /// The thing of this name.
    #[inline]
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&T> {
        match name {
            "" => self.unnamed.as_ref(),
            name => self.others.get(name),
        }
    }

    /// The same, to be changed.
    #[inline]
    pub fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        match name {
            "" => self.unnamed.as_mut(),
            name => self.others.get_mut(name),
        }
    }

    /// Whether there is one.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Enters one; gives the former of that name.
    #[inline]
    pub fn insert(&mut self, name: &str, thing: T) -> Option<T> {
        match name {
            "" => self.unnamed.replace(thing),
            name => self.others.insert(String::from(name), thing),
        }
    }

    /// Takes one out.
    pub fn remove(&mut self, name: &str) -> Option<T> {
        match name {
            "" => self.unnamed.take(),
            name => self.others.remove(name),
        }
    }

    /// Keeps only those that the test likes.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut T) -> bool) {
        if self.unnamed.as_mut().is_some_and(|thing| !keep("", thing)) {
            self.unnamed = None;
        }
        if !self.others.is_empty() {
            self.others.retain(|name, thing| keep(name, thing));
        }
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        self.unnamed = None;
        self.others.clear();
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.others.len() + usize::from(self.unnamed.is_some())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.unnamed.is_none() && self.others.is_empty()
    }

    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        let unnamed = self.unnamed.iter().map(|thing| ("", thing));
        unnamed.chain(
            self.others
                .iter()
                .map(|(name, thing)| (name.as_str(), thing)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unnamed_one_is_one_among_others() {
        let mut named = Named::default();
        assert!(named.is_empty());
        assert_eq!(named.insert("", 1), None);
        assert_eq!(named.insert("a", 2), None);
        assert_eq!(named.insert("", 3), Some(1));
        assert_eq!(named.len(), 2);
        assert_eq!(named.iter().collect::<Vec<_>>(), [("", &3), ("a", &2)]);
        named.retain(|_, thing| *thing == 2);
        assert_eq!((named.get(""), named.get("a")), (None, Some(&2)));
        assert!(!named.contains_key("") && named.contains_key("a"));
        named.insert("", 4);
        assert_eq!(named.remove(""), Some(4));
        assert_eq!(named.remove("a"), Some(2));
        assert!(named.is_empty());
    }
}
