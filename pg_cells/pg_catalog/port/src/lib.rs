//! Port of pg_catalog: System catalogs on ordinary tables, and the cache of relation descriptors.
#![cfg_attr(not(test), no_std)]
