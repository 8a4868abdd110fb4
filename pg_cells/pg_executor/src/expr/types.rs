//! The type of an expression.

use pg_plan::{Expr, SubLinkKind};
use pg_types::{Oid, oid};

/// The type of an expression's value.
#[must_use]
pub fn type_of(expr: &Expr) -> Oid {
    match expr {
        Expr::Const { type_oid, .. }
        | Expr::Column { type_oid, .. }
        | Expr::Param { type_oid, .. }
        | Expr::Outer { type_oid, .. }
        | Expr::Call { type_oid, .. }
        | Expr::CastViaText { type_oid, .. }
        | Expr::ApplyTypmod { type_oid, .. }
        | Expr::Relabel { type_oid, .. }
        | Expr::Case { type_oid, .. }
        | Expr::CaseOperand { type_oid }
        | Expr::Coalesce { type_oid, .. }
        | Expr::NullIf { type_oid, .. }
        | Expr::MinMax { type_oid, .. }
        | Expr::Array { type_oid, .. }
        | Expr::Subscript { type_oid, .. }
        | Expr::Field { type_oid, .. }
        | Expr::NextValue { type_oid, .. }
        | Expr::Session { type_oid, .. } => *type_oid,
        Expr::And(_)
        | Expr::Or(_)
        | Expr::Not(_)
        | Expr::IsNull { .. }
        | Expr::IsBool { .. }
        | Expr::IsDistinct { .. }
        | Expr::Quantified { .. } => oid::BOOL,
        Expr::Row(_) => oid::RECORD,
        Expr::SubLink(link) => match link.kind {
            SubLinkKind::Exists | SubLinkKind::Quantified { .. } => oid::BOOL,
            SubLinkKind::Scalar | SubLinkKind::Array => link.type_oid,
        },
    }
}
