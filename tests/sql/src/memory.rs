//! A catalog in memory, which CREATE statements fill.

use pg_catalog_port::{TableStatistics, UserType};
use pg_plan::{
    CheckConstraint, Column, ConstraintKind, Ddl, Index, IndexColumn, NewColumn, NewConstraint,
    Relation, RelationKind, TableChange,
};
use pg_planner_port::CatalogAccess;
use pg_types::{Attr, Oid, SqlError, Str, TupleDesc};
use std::sync::Arc;

/// The catalog.
pub struct Memory {
    relations: Vec<Arc<Relation>>,
    next: Oid,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory::new()
    }
}

impl Memory {
    /// An empty catalog.
    pub fn new() -> Memory {
        Memory {
            relations: Vec::new(),
            next: 16384,
        }
    }

    /// Whether there is a relation or index of this name.
    pub fn has(&self, name: &str) -> bool {
        self.relations
            .iter()
            .any(|r| r.name == name || r.indexes.iter().any(|i| i.name == name))
    }

    /// A relation that is known to be there.
    pub fn get(&self, name: &str) -> Arc<Relation> {
        self.relations
            .iter()
            .find(|r| r.name == name)
            .expect("a relation")
            .clone()
    }

    fn oid(&mut self) -> Oid {
        self.next += 1;
        self.next - 1
    }

    /// Applies a change; false when it does not know how.
    ///
    /// A dispatch table, so longer than a function should be.
    pub fn apply(&mut self, ddl: &Ddl) -> bool {
        match ddl {
            Ddl::CreateTable(table) => {
                let mut relation = self.blank(&table.name.name, RelationKind::Table);
                self.columns(&mut relation, &table.columns);
                for constraint in &table.constraints {
                    self.constraint(&mut relation, constraint);
                }
                self.relations.push(Arc::new(relation));
            }
            Ddl::CreateView(view) => {
                let mut relation = self.blank(&view.name.name, RelationKind::View);
                let attrs = view
                    .columns
                    .iter()
                    .map(|(n, t, m)| Attr::new(n.as_str(), *t, *m))
                    .collect();
                relation.desc = Arc::new(TupleDesc::new(attrs));
                relation.view = Some(view.query.clone());
                self.relations.push(Arc::new(relation));
            }
            Ddl::CreateIndex(create) => {
                let oid = self.oid();
                let Some(at) = self
                    .relations
                    .iter()
                    .position(|r| r.oid == create.table.oid)
                else {
                    return false;
                };
                let mut relation = (*self.relations[at]).clone();
                let name = create
                    .name
                    .clone()
                    .unwrap_or_else(|| format!("{}_idx", relation.name));
                let keys = create
                    .keys
                    .iter()
                    .map(|k| IndexColumn {
                        attribute: k.attribute,
                        expression: k.expression.as_ref().map(|(text, _)| text.clone()),
                        type_oid: k.type_oid,
                        descending: k.descending,
                        nulls_first: k.nulls_first,
                    })
                    .collect();
                relation.indexes.push(Arc::new(Index {
                    oid,
                    name,
                    file: oid,
                    table: relation.oid,
                    unique: create.unique,
                    nulls_not_distinct: false,
                    primary: false,
                    constraint: None,
                    keys,
                    predicate: create.predicate.as_ref().map(|(text, _)| text.clone()),
                    valid: true,
                    included: Vec::new(),
                    constraint_oid: 0,
                    deferral: Default::default(),
                    counters: Default::default(),
                }));
                self.relations[at] = Arc::new(relation);
            }
            Ddl::AlterTable(alter) => {
                let [TableChange::Options(options)] = alter.changes.as_slice() else {
                    return false;
                };
                let Some(at) = self
                    .relations
                    .iter()
                    .position(|r| r.oid == alter.relation.oid)
                else {
                    return false;
                };
                // Statistics for tests: ALTER TABLE t SET (rows = n).
                let mut relation = (*self.relations[at]).clone();
                for (name, value) in options {
                    if let ("rows", Some(value)) = (name.as_str(), value) {
                        relation.reltuples = value.parse().unwrap();
                        relation.relpages = (relation.reltuples / 60.0) as u32 + 1;
                    }
                }
                self.relations[at] = Arc::new(relation);
            }
            Ddl::Drop(drop) if drop.names.len() == 1 && drop.kind == pg_plan::DropKind::Index => {
                for relation in &mut self.relations {
                    if relation
                        .indexes
                        .iter()
                        .any(|i| i.name == drop.names[0].name)
                    {
                        let mut changed = (**relation).clone();
                        changed.indexes.retain(|i| i.name != drop.names[0].name);
                        *relation = Arc::new(changed);
                    }
                }
            }
            Ddl::Drop(drop) if drop.names.len() == 1 => {
                self.relations.retain(|r| r.name != drop.names[0].name);
            }
            _ => return false,
        }
        true
    }

    fn blank(&mut self, name: &str, kind: RelationKind) -> Relation {
        let oid = self.oid();
        Relation {
            oid,
            file: oid,
            name: name.into(),
            schema: "public".into(),
            schema_oid: 2200,
            owner: 10,
            kind,
            desc: Arc::new(TupleDesc::default()),
            columns: Vec::new(),
            indexes: Vec::new(),
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            referenced_by: Vec::new(),
            view: None,
            sequence: None,
            reltuples: -1.0,
            relpages: 0,
            relallvisible: 0,
            counters: Default::default(),
        }
    }

    fn columns(&mut self, relation: &mut Relation, columns: &[NewColumn]) {
        let mut attrs = Vec::new();
        for column in columns {
            let mut attr = Attr::new(column.name.as_str(), column.type_oid, column.typmod);
            attr.not_null = column.not_null;
            attrs.push(attr);
            let sequence = (column.serial || column.identity.is_some()).then(|| self.oid());
            let default = match (column.serial, sequence) {
                (true, Some(oid)) => Some(format!("nextval('{oid}'::regclass)")),
                _ => column.default.clone(),
            };
            relation.columns.push(Column {
                default,
                missing: None,
                identity: column.identity.as_ref().map(|(how, _)| *how),
                sequence,
            });
        }
        relation.desc = Arc::new(TupleDesc::new(attrs));
    }

    fn constraint(&mut self, relation: &mut Relation, constraint: &NewConstraint) {
        let oid = self.oid();
        let (columns, primary) = match &constraint.kind {
            ConstraintKind::PrimaryKey { columns } => (columns, true),
            ConstraintKind::Unique { columns, .. } => (columns, false),
            ConstraintKind::Check { expression, .. } => {
                let name = constraint
                    .name
                    .clone()
                    .unwrap_or_else(|| format!("{}_check", relation.name));
                relation.checks.push(CheckConstraint {
                    oid,
                    name,
                    expression: expression.clone(),
                });
                return;
            }
            _ => return,
        };
        let keys = columns
            .iter()
            .map(|name| {
                let at = relation.desc.find(name).unwrap();
                IndexColumn {
                    attribute: at as i16 + 1,
                    expression: None,
                    type_oid: relation.desc.attrs()[at].type_oid,
                    descending: false,
                    nulls_first: false,
                }
            })
            .collect();
        let suffix = if primary {
            "pkey".to_string()
        } else {
            format!("{}_key", columns.join("_"))
        };
        let name = constraint
            .name
            .clone()
            .unwrap_or_else(|| format!("{}_{suffix}", relation.name));
        relation.indexes.push(Arc::new(Index {
            oid,
            name: name.clone(),
            file: oid,
            table: relation.oid,
            unique: true,
            nulls_not_distinct: false,
            primary,
            constraint: Some(name),
            keys,
            predicate: None,
            valid: true,
            included: Vec::new(),
            constraint_oid: 0,
            deferral: Default::default(),
            counters: Default::default(),
        }));
    }
}

impl CatalogAccess for Memory {
    fn version(&self) -> u64 {
        1
    }

    fn relation(
        &self,
        _path: &[Str],
        schema: Option<&str>,
        name: &str,
    ) -> Result<Option<Arc<Relation>>, SqlError> {
        let found = self
            .relations
            .iter()
            .find(|r| r.name == name && schema.is_none_or(|s| s == r.schema));
        Ok(found.cloned())
    }

    fn relation_by_oid(&self, oid: Oid) -> Result<Option<Arc<Relation>>, SqlError> {
        Ok(self.relations.iter().find(|r| r.oid == oid).cloned())
    }

    fn index(
        &self,
        _path: &[Str],
        _schema: Option<&str>,
        name: &str,
    ) -> Result<Option<(Arc<Relation>, Oid)>, SqlError> {
        let found = self.relations.iter().find_map(|r| {
            r.indexes
                .iter()
                .find(|i| i.name == name)
                .map(|i| (r.clone(), i.oid))
        });
        Ok(found)
    }

    fn schema(&self, name: &str) -> Result<Option<Oid>, SqlError> {
        Ok((name == "public").then_some(2200))
    }

    fn user_type(
        &self,
        _path: &[Str],
        _schema: Option<&str>,
        _name: &str,
    ) -> Result<Option<UserType>, SqlError> {
        Ok(None)
    }

    fn statistics(&self, _relation: Oid) -> Result<Option<Arc<TableStatistics>>, SqlError> {
        Ok(None)
    }
}
