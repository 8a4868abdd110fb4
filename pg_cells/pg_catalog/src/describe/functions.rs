//! The functions over the catalog that are known by name.

use super::defs::Writer;
use super::names::{qualified, split};
use crate::Catalogs;
use crate::cache::Named;
use crate::error::{no_column, no_relation};
use crate::load::schema_name;
use crate::sequence::position;
use crate::store::{Reader, ids};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_buffer_port::{FileId, Fork, PAGE_SIZE};
use pg_builtins::Function;
use pg_txn_port::Transaction;
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState, Str, format_type, oid};

fn arg_oid(args: &[Datum], at: usize) -> Oid {
    let value = args.get(at).and_then(Datum::as_i64);
    value.unwrap_or(0) as Oid
}

fn arg_text(args: &[Datum], at: usize) -> &str {
    args.get(at).and_then(Datum::as_str).unwrap_or("")
}

fn text_or_null(text: Option<String>) -> Datum {
    text.map_or(Datum::Null, Datum::text)
}

impl Catalogs {
    /// Answers a function by its name.
    ///
    /// # Errors
    /// 0A000 for one that is not known.
    pub fn function(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        name: &str,
        args: &[Datum],
    ) -> SqlResult<Datum> {
        match name {
            "pg_get_expr" | "pg_get_indexdef" | "pg_get_constraintdef" | "pg_get_viewdef" => {
                self.definition(tx, path, name, args)
            }
            "pg_get_serial_sequence" => self.serial_sequence(tx, path, args),
            "pg_relation_size" | "pg_table_size" | "pg_indexes_size" | "pg_total_relation_size" => {
                self.relation_size(tx, name, args)
            }
            "pg_database_size" | "pg_tablespace_size" => database_size(),
            "pg_relation_filenode" | "pg_relation_filepath" => self.file_of(tx, name, args),
            "pg_sequence_last_value" | "pg_sequence_parameters" => {
                self.sequence_answer(tx, name, args)
            }
            "pg_get_function_arguments"
            | "pg_get_function_identity_arguments"
            | "pg_get_function_result" => Ok(signature(name, arg_oid(args, 0))),
            "pg_describe_object" => self.described(tx, path, args),
            "pg_relation_is_updatable" | "pg_column_is_updatable" => self.updatable(tx, name, args),
            "pg_my_temp_schema" => Ok(Datum::Oid(0)),
            "pg_is_other_temp_schema" => Ok(Datum::Bool(false)),
            "pg_partition_ancestors" => {
                let this = args.first().cloned().unwrap_or_default();
                Ok(Datum::array(oid::REGCLASS, alloc::vec![this]))
            }
            // Nothing of this kind can exist, so there is nothing to tell of.
            "pg_get_ruledef"
            | "pg_get_triggerdef"
            | "pg_get_partkeydef"
            | "pg_get_partition_constraintdef"
            | "pg_get_statisticsobjdef"
            | "pg_get_statisticsobjdef_columns"
            | "pg_get_statisticsobjdef_expressions"
            | "pg_get_function_arg_default"
            | "pg_get_function_sqlbody"
            | "pg_get_functiondef"
            | "pg_tablespace_location"
            | "pg_filenode_relation"
            | "pg_replication_origin_oid"
            | "acldefault" => Ok(Datum::Null),
            "aclexplode"
            | "pg_partition_tree"
            | "pg_get_publication_tables"
            | "pg_available_extensions"
            | "pg_event_trigger_ddl_commands"
            | "pg_tablespace_databases" => Ok(Datum::array(oid::RECORD, Vec::new())),
            _ => Err(SqlError::unsupported(format!("the function {name}()"))),
        }
    }

    fn definition(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        name: &str,
        args: &[Datum],
    ) -> SqlResult<Datum> {
        let relation = match (name, args.first()) {
            ("pg_get_viewdef", Some(Datum::Text(view))) => {
                let found = self.reg_from_name(tx, path, oid::REGCLASS, view)?;
                found.as_oid().ok_or_else(|| no_relation(view))?
            }
            _ => arg_oid(args, 0),
        };
        let reader = Reader::new(&self.system, tx)?;
        let writer = Writer {
            reader: &reader,
            path,
        };
        let last = args.last().is_some_and(Datum::is_true);
        Ok(match name {
            "pg_get_expr" => Datum::text(writer.expression(arg_text(args, 0))?),
            "pg_get_indexdef" => {
                let column = args.get(1).and_then(Datum::as_i64).unwrap_or(0);
                text_or_null(writer.index(relation, column, last)?)
            }
            "pg_get_constraintdef" => text_or_null(writer.constraint(relation, last)?),
            _ => text_or_null(writer.view(relation)?),
        })
    }

    fn serial_sequence(
        &self,
        tx: &mut Transaction,
        path: &[Str],
        args: &[Datum],
    ) -> SqlResult<Datum> {
        let (table, column) = (arg_text(args, 0), arg_text(args, 1));
        let parts = split(table)?;
        let (schema, name) = match &parts[..] {
            [name] => (None, name),
            [.., schema, name] => (Some(schema.as_str()), name),
            [] => return Err(no_relation(table)),
        };
        let Named::Relation(relation) = self.named(tx, path, schema, name)? else {
            return Err(no_relation(table));
        };
        let place = relation.desc.find(column);
        let place = place.ok_or_else(|| no_column(column, &relation.name))?;
        let sequence = relation.columns.get(place).and_then(|c| c.sequence);
        let Some(sequence) = sequence else {
            return Ok(Datum::Null);
        };
        let sequence = self.by_oid(tx, sequence)?;
        Ok(text_or_null(
            sequence.map(|s| qualified(&s.schema, &s.name)),
        ))
    }

    /// The file of a relation or index.
    fn file_number(&self, tx: &mut Transaction, oid: Oid) -> SqlResult<Option<u32>> {
        let reader = Reader::new(&self.system, tx)?;
        let class = reader.one(ids::CLASS_BY_OID, &[Datum::Oid(oid)])?;
        Ok(class.map(|c| c.oid("relfilenode")))
    }

    fn relation_size(&self, tx: &mut Transaction, name: &str, args: &[Datum]) -> SqlResult<Datum> {
        let oid = arg_oid(args, 0);
        let Some(file) = self.file_number(tx, oid)? else {
            return Ok(Datum::Null);
        };
        let indexes = match self.by_oid(tx, oid)? {
            Some(relation) => relation.indexes.iter().map(|i| file_size(i.file)).sum(),
            None => 0,
        };
        let fork = args.get(1).and_then(Datum::as_str);
        Ok(Datum::Int8(match name {
            "pg_indexes_size" => indexes,
            "pg_total_relation_size" => file_size(file) + indexes,
            "pg_relation_size" => match fork {
                None | Some("main") => fork_size(file, Fork::Main),
                Some("fsm") => fork_size(file, Fork::FreeSpace),
                Some("vm") => fork_size(file, Fork::Visibility),
                Some("init") => 0,
                Some(_) => {
                    return Err(SqlError::new(
                        SqlState::INVALID_PARAMETER_VALUE,
                        "invalid fork name",
                    )
                    .with_hint("Valid fork names are \"main\", \"fsm\", \"vm\", and \"init\"."));
                }
            },
            _ => file_size(file),
        }))
    }

    fn file_of(&self, tx: &mut Transaction, name: &str, args: &[Datum]) -> SqlResult<Datum> {
        let file = self.file_number(tx, arg_oid(args, 0))?.filter(|f| *f != 0);
        Ok(match (file, name) {
            (None, _) => Datum::Null,
            (Some(file), "pg_relation_filenode") => Datum::Oid(file),
            (Some(file), _) => Datum::text(format!("base/{}/{file}", crate::schema::DATABASE)),
        })
    }

    fn sequence_answer(
        &self,
        tx: &mut Transaction,
        name: &str,
        args: &[Datum],
    ) -> SqlResult<Datum> {
        let sequence = self.by_oid(tx, arg_oid(args, 0))?;
        let Some((sequence, info)) = sequence.and_then(|s| Some((s.file, s.sequence.clone()?)))
        else {
            return Ok(Datum::Null);
        };
        if name == "pg_sequence_last_value" {
            let now = position(sequence)?;
            return Ok(match now.called {
                true => Datum::Int8(now.value),
                false => Datum::Null,
            });
        }
        let types = [
            oid::INT8,
            oid::INT8,
            oid::INT8,
            oid::INT8,
            oid::BOOL,
            oid::INT8,
            oid::OID,
        ];
        let fields = alloc::vec![
            Datum::Int8(info.start),
            Datum::Int8(info.min),
            Datum::Int8(info.max),
            Datum::Int8(info.increment),
            Datum::Bool(info.cycle),
            Datum::Int8(info.cache),
            Datum::Oid(info.type_oid),
        ];
        Ok(Datum::record(types.to_vec(), fields))
    }

    fn described(&self, tx: &mut Transaction, path: &[Str], args: &[Datum]) -> SqlResult<Datum> {
        let object = crate::rows::Object {
            class: arg_oid(args, 0),
            oid: arg_oid(args, 1),
            column: args.get(2).and_then(Datum::as_i64).unwrap_or(0) as i32,
        };
        if object.oid == 0 {
            return Ok(Datum::Null);
        }
        let reader = Reader::new(&self.system, tx)?;
        super::objects::describe(&reader, path, object).map(Datum::text)
    }

    fn updatable(&self, tx: &mut Transaction, name: &str, args: &[Datum]) -> SqlResult<Datum> {
        let relation = self.by_oid(tx, arg_oid(args, 0))?;
        let table = relation.is_some_and(|r| r.kind == pg_plan::RelationKind::Table);
        // Bits for INSERT, UPDATE and DELETE.
        Ok(match name {
            "pg_relation_is_updatable" => Datum::Int4(if table { 28 } else { 0 }),
            _ => Datum::Bool(table),
        })
    }

    /// The name of a type that users created; NULL when there is none.
    ///
    /// # Errors
    /// Failures of the storage.
    pub fn user_type_name(&self, tx: &mut Transaction, path: &[Str], oid: Oid) -> SqlResult<Datum> {
        let reader = Reader::new(&self.system, tx)?;
        let Some(row) = reader.one(ids::TYPE_BY_OID, &[Datum::Oid(oid)])? else {
            return Ok(Datum::Null);
        };
        let name = row.text("typname");
        let schema = schema_name(&reader, row.oid("typnamespace"))?;
        let near = schema == "pg_catalog" || path.iter().any(|s| *s == *schema);
        Ok(Datum::text(match near {
            true => pg_builtins::quote_identifier(name),
            false => qualified(&schema, name),
        }))
    }
}

fn fork_size(file: u32, fork: Fork) -> i64 {
    let blocks = pg_buffer_port::blocks(FileId::new(file, fork));
    i64::from(blocks.unwrap_or(0)) * PAGE_SIZE as i64
}

fn file_size(file: u32) -> i64 {
    let forks = [Fork::Main, Fork::FreeSpace, Fork::Visibility];
    match file {
        0 => 0,
        file => forks.iter().map(|f| fork_size(file, *f)).sum(),
    }
}

fn database_size() -> SqlResult<Datum> {
    use crate::error::OrSql;
    let files = pg_buffer_port::files().sql()?;
    let pages: i64 = files.iter().map(|(_, pages)| i64::from(*pages)).sum();
    Ok(Datum::Int8(pages * PAGE_SIZE as i64))
}

/// The arguments or the result of a built-in function, as `\df` shows them.
fn signature(name: &str, oid: Oid) -> Datum {
    let Some(function) = pg_builtins::function_by_oid(oid) else {
        return Datum::Null;
    };
    Datum::text(match name {
        "pg_get_function_result" => result_of(function),
        "pg_get_function_arguments" => arguments_of(function, true),
        _ => arguments_of(function, false),
    })
}

fn arguments_of(function: &Function, outputs: bool) -> String {
    let last = function.args.len().wrapping_sub(1);
    let mut args: Vec<String> = Vec::new();
    for (at, kind) in function.args.iter().enumerate() {
        let name = format_type(*kind, -1);
        args.push(match function.variadic && at == last {
            true if *kind == oid::ANY => format!("VARIADIC {name}"),
            true => format!("VARIADIC {name}[]"),
            false => name,
        });
    }
    if outputs {
        for (name, kind) in function.columns {
            args.push(format!("OUT {name} {}", format_type(*kind, -1)));
        }
    }
    args.join(", ")
}

fn result_of(function: &Function) -> String {
    let name = format_type(function.ret, -1);
    match function.returns_set() {
        true => format!("SETOF {name}"),
        false => name.to_string(),
    }
}
