//! Which columns an expression uses, and forgetting what is said of an object.

use super::Change;
use crate::rows::Object;
use crate::store::ids;
use alloc::vec::Vec;
use pg_plan::{Expr, SubLinkKind};
use pg_types::{Datum, SqlResult};

impl Change<'_> {
    /// Removes what `pg_depend` and `pg_description` say of an object, as
    /// dependent and as referenced one.
    pub fn forget(&mut self, object: Object) -> SqlResult<()> {
        self.forget_uses(object)?;
        let key = [Datum::Oid(object.class), Datum::Oid(object.oid)];
        let reader = self.reader()?;
        let mut rows = reader.find(ids::DEPEND_BY_REFERENCE, &key)?;
        rows.retain(|r| object.column == 0 || r.int("refobjsubid") == i64::from(object.column));
        let key = [Datum::Oid(object.oid), Datum::Oid(object.class)];
        let mut comments = reader.find(ids::DESCRIPTION_BY_OBJECT, &key)?;
        comments.retain(|r| object.column == 0 || r.int("objsubid") == i64::from(object.column));
        rows.append(&mut comments);
        for row in rows {
            self.delete(&row)?;
        }
        self.bump()
    }

    /// Removes what an object depends on.
    pub fn forget_uses(&mut self, object: Object) -> SqlResult<()> {
        let key = [Datum::Oid(object.class), Datum::Oid(object.oid)];
        for row in self.reader()?.find(ids::DEPEND_BY_OBJECT, &key)? {
            if object.column == 0 || row.int("objsubid") == i64::from(object.column) {
                self.delete(&row)?;
            }
        }
        self.bump()
    }
}

/// The numbers of the columns that an expression over a table's row uses.
pub fn columns_of(expr: &Expr) -> Vec<i16> {
    let mut columns = Vec::new();
    walk(expr, &mut |e| {
        if let Expr::Column { index, .. } = e {
            columns.push(*index as i16 + 1);
        }
    });
    columns
}

/// Calls `see` for an expression and all within it, subqueries' plans excepted.
fn walk(expr: &Expr, see: &mut dyn FnMut(&Expr)) {
    see(expr);
    match expr {
        Expr::Const { .. }
        | Expr::Column { .. }
        | Expr::Param { .. }
        | Expr::Outer { .. }
        | Expr::CaseOperand { .. }
        | Expr::NextValue { .. }
        | Expr::Session { .. } => {}
        Expr::Call { args, .. }
        | Expr::Coalesce { args, .. }
        | Expr::MinMax { args, .. }
        | Expr::And(args)
        | Expr::Or(args)
        | Expr::Row(args)
        | Expr::Array { elements: args, .. } => args.iter().for_each(|e| walk(e, see)),
        Expr::CastViaText { input, .. }
        | Expr::ApplyTypmod { input, .. }
        | Expr::Relabel { input, .. }
        | Expr::IsNull { input, .. }
        | Expr::IsBool { input, .. }
        | Expr::Not(input)
        | Expr::Field { record: input, .. } => walk(input, see),
        Expr::IsDistinct { left, right, .. } | Expr::NullIf { left, right, .. } => {
            walk(left, see);
            walk(right, see);
        }
        Expr::Quantified { left, array, .. } => {
            walk(left, see);
            walk(array, see);
        }
        Expr::Subscript {
            array, subscripts, ..
        } => {
            walk(array, see);
            subscripts.iter().for_each(|e| walk(e, see));
        }
        Expr::Case {
            operand,
            arms,
            otherwise,
            ..
        } => {
            operand.iter().for_each(|e| walk(e, see));
            for arm in arms {
                walk(&arm.when, see);
                walk(&arm.then, see);
            }
            otherwise.iter().for_each(|e| walk(e, see));
        }
        Expr::SubLink(link) => {
            link.outer.iter().for_each(|e| walk(e, see));
            if let SubLinkKind::Quantified { left, .. } = &link.kind {
                left.iter().for_each(|e| walk(e, see));
            }
        }
        #[allow(unreachable_patterns)] // Kinds of expressions yet to come.
        _ => {}
    }
}
