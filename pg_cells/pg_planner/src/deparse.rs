//! Expressions as text, for EXPLAIN: columns by the names of the input's
//! columns, operators between their operands.

use crate::walk::type_of;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_builtins::{function_by_oid, operators};
use pg_plan::{Expr, Quantifier, SubLinkKind};
use pg_types::{Datum, FormatSettings, Oid, format_type, oid};

/// Where an expression's columns come from.
pub struct Names<'n> {
    /// Names of the columns of the input row.
    pub columns: &'n [String],
    /// Qualified names are shown whole.
    pub qualify: bool,
}

impl Names<'_> {
    fn column(&self, index: usize) -> String {
        let name = self.columns.get(index).map_or("?", String::as_str);
        match name.split_once('.') {
            Some((_, bare)) if !self.qualify => bare.to_string(),
            _ => name.to_string(),
        }
    }
}

fn constant(value: &Datum, type_oid: Oid) -> String {
    if value.is_null() {
        return format!("NULL::{}", format_type(type_oid, -1));
    }
    let mut text = String::new();
    pg_types::output(&mut text, value, type_oid, &FormatSettings::default());
    match type_oid {
        oid::INT4 if !text.starts_with('-') => text,
        oid::NUMERIC if !text.starts_with('-') => text,
        oid::BOOL => {
            if text == "t" {
                "true".into()
            } else {
                "false".into()
            }
        }
        _ => format!(
            "'{}'::{}",
            text.replace('\'', "''"),
            format_type(type_oid, -1)
        ),
    }
}

/// The operator a function stands behind.
fn operator_of(function: Oid, args: usize) -> Option<&'static str> {
    operators()
        .iter()
        .find(|o| o.func == function && (o.left == 0) == (args == 1))
        .map(|o| o.name)
}

/// An expression as text; comparisons and calls of operators in parentheses.
///
/// A dispatch table, so longer than a function should be.
pub fn text(expr: &Expr, names: &Names<'_>) -> String {
    let list = |list: &[Expr]| {
        list.iter()
            .map(|e| text(e, names))
            .collect::<Vec<_>>()
            .join(", ")
    };
    match expr {
        Expr::Const { value, type_oid } => constant(value, *type_oid),
        Expr::Column { index, .. } => names.column(*index),
        Expr::Param { number, .. } => format!("${number}"),
        Expr::Outer { index, .. } => format!("$outer{index}"),
        Expr::Call {
            function,
            args,
            type_oid,
        } => call(*function, args, *type_oid, names),
        Expr::CastViaText {
            input,
            type_oid,
            typmod,
            ..
        }
        | Expr::ApplyTypmod {
            input,
            type_oid,
            typmod,
            ..
        } => {
            format!(
                "({})::{}",
                text(input, names),
                format_type(*type_oid, *typmod)
            )
        }
        Expr::Relabel { input, type_oid } => {
            format!("({})::{}", text(input, names), format_type(*type_oid, -1))
        }
        Expr::And(args) => format!("({})", joined(args, " AND ", names)),
        Expr::Or(args) => format!("({})", joined(args, " OR ", names)),
        Expr::Not(input) => format!("(NOT {})", text(input, names)),
        Expr::IsNull { input, negated } => {
            format!(
                "({} IS {}NULL)",
                text(input, names),
                if *negated { "NOT " } else { "" }
            )
        }
        Expr::IsBool {
            input,
            value,
            negated,
        } => format!(
            "({} IS {}{})",
            text(input, names),
            if *negated { "NOT " } else { "" },
            match value {
                Some(true) => "TRUE",
                Some(false) => "FALSE",
                None => "UNKNOWN",
            }
        ),
        Expr::IsDistinct {
            left,
            right,
            negated,
            ..
        } => format!(
            "({} IS {}DISTINCT FROM {})",
            text(left, names),
            if *negated { "NOT " } else { "" },
            text(right, names)
        ),
        Expr::Case {
            operand,
            arms,
            otherwise,
            ..
        } => {
            let mut out = String::from("CASE");
            if let Some(operand) = operand {
                out.push_str(&format!(" {}", text(operand, names)));
            }
            for arm in arms {
                out.push_str(&format!(
                    " WHEN {} THEN {}",
                    text(&arm.when, names),
                    text(&arm.then, names)
                ));
            }
            if let Some(otherwise) = otherwise {
                out.push_str(&format!(" ELSE {}", text(otherwise, names)));
            }
            out.push_str(" END");
            out
        }
        Expr::CaseOperand { .. } => "CASE_TEST_EXPR".into(),
        Expr::Coalesce { args, .. } => format!("COALESCE({})", list(args)),
        Expr::NullIf { left, right, .. } => {
            format!("NULLIF({}, {})", text(left, names), text(right, names))
        }
        Expr::MinMax { args, greatest, .. } => {
            format!(
                "{}({})",
                if *greatest { "GREATEST" } else { "LEAST" },
                list(args)
            )
        }
        Expr::Quantified {
            left,
            array,
            function,
            quantifier,
        } => format!(
            "({} {} {} ({}))",
            text(left, names),
            operator_of(*function, 2).unwrap_or("="),
            if *quantifier == Quantifier::Any {
                "ANY"
            } else {
                "ALL"
            },
            text(array, names)
        ),
        Expr::Array { elements, .. } => format!("ARRAY[{}]", list(elements)),
        Expr::Subscript {
            array, subscripts, ..
        } => {
            let subscripts: String = subscripts
                .iter()
                .map(|s| format!("[{}]", text(s, names)))
                .collect();
            format!("{}{subscripts}", text(array, names))
        }
        Expr::Row(fields) => format!("ROW({})", list(fields)),
        Expr::Field { record, index, .. } => format!("({}).f{}", text(record, names), index + 1),
        Expr::SubLink(link) => match &link.kind {
            SubLinkKind::Quantified { left, .. } => format!("(hashed SubPlan over {})", list(left)),
            SubLinkKind::Exists => "EXISTS(SubPlan)".into(),
            _ => "(SubPlan)".into(),
        },
        Expr::NextValue { sequence, .. } => format!("nextval({sequence})"),
        Expr::Session { name, .. } => name.to_uppercase(),
    }
}

fn joined(args: &[Expr], word: &str, names: &Names<'_>) -> String {
    args.iter()
        .map(|e| text(e, names))
        .collect::<Vec<_>>()
        .join(word)
}

fn call(function: Oid, args: &[Expr], type_oid: Oid, names: &Names<'_>) -> String {
    match (operator_of(function, args.len()), args) {
        (Some(name), [left, right]) => {
            format!("({} {name} {})", text(left, names), text(right, names))
        }
        (Some(name), [operand]) => format!("({name} {})", text(operand, names)),
        _ => {
            let name = function_by_oid(function).map_or("?", |f| f.name);
            // Cast functions are named after their type.
            let cast = pg_types::typeinfo::type_by_name(name).is_some_and(|t| t.oid == type_oid);
            match args {
                [only] if cast && type_of(only) != type_oid => {
                    format!("({})::{}", text(only, names), format_type(type_oid, -1))
                }
                _ => format!("{name}({})", joined(args, ", ", names)),
            }
        }
    }
}
