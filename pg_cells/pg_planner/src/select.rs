//! One SELECT: its clauses in the order PostgreSQL looks at them.

use crate::analyzer::{Analyzer, Clause, Var, fold};
use crate::error;
use crate::group::Grouping;
use crate::leaf::Tree;
use crate::order::{Key, Target};
use crate::query::Tail;
use crate::walk::{any, conjuncts, same};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_parser_port::ast::{self, Expr as Ast, SelectItem};
use pg_plan::{AggregateCall, Expr, JoinKind, Plan};
use pg_types::{SqlError, SqlResult, SqlState};

/// A semi or anti join that came from EXISTS or IN.
pub struct Semi {
    /// [`JoinKind::Semi`] or [`JoinKind::Anti`].
    pub kind: JoinKind,
    /// The subquery's FROM.
    pub trees: Vec<Tree>,
    /// Conditions: those on the subquery alone and those with the outer rows.
    pub conditions: Vec<Expr>,
}

/// A SELECT with its names resolved.
#[derive(Default)]
pub struct Block {
    /// FROM.
    pub trees: Vec<Tree>,
    /// WHERE's conjuncts.
    pub conditions: Vec<Expr>,
    /// EXISTS and IN of WHERE that became joins.
    pub semis: Vec<Semi>,
    /// GROUP BY.
    pub grouping: Grouping,
    /// Aggregates.
    pub aggregates: Vec<(Var, AggregateCall)>,
    /// Whether rows are grouped at all.
    pub grouped: bool,
    /// HAVING.
    pub having: Vec<Expr>,
    /// Window calls.
    pub windows: Vec<crate::window::Pending>,
    /// Set-returning calls of the select list.
    pub sets: Vec<(Var, Expr)>,
    /// The select list.
    pub targets: Vec<Target>,
    /// DISTINCT: `Some` with keys for ON, empty for all columns.
    pub distinct: Option<Vec<Expr>>,
    /// ORDER BY.
    pub order: Vec<Key>,
    /// LIMIT.
    pub limit: Option<Expr>,
    /// OFFSET.
    pub offset: Option<Expr>,
    /// WITH TIES.
    pub ties: bool,
    /// FOR UPDATE: what is locked and how.
    pub locks: Vec<crate::lock::Lock>,
}

impl Block {
    /// Whether the block does nothing but join, filter and rename or compute
    /// columns: it can be part of the query around it.
    pub fn is_simple(&self, only_columns: bool) -> bool {
        let plain = !self.grouped
            && self.semis.is_empty()
            && self.windows.is_empty()
            && self.sets.is_empty()
            && self.distinct.is_none()
            && self.order.is_empty()
            && self.limit.is_none()
            && self.offset.is_none()
            && self.locks.is_empty()
            && !self.trees.is_empty();
        plain
            && self.targets.iter().all(|(_, value)| match value {
                Expr::Column { .. } => true,
                value => {
                    !only_columns
                        && !crate::walk::is_volatile(value)
                        && !any(value, &mut |e| matches!(e, Expr::SubLink(_)))
                }
            })
    }
}

impl Analyzer<'_> {
    /// Plans a SELECT with what follows it.
    pub fn select(&mut self, select: &ast::Select, tail: Tail<'_>) -> SqlResult<Plan> {
        let block = self.block(select, tail)?;
        self.finish(block)
    }

    /// Resolves a SELECT with what follows it.
    pub fn block(&mut self, select: &ast::Select, tail: Tail<'_>) -> SqlResult<Block> {
        let keep_unknown = core::mem::take(&mut self.keep_unknown);
        refuse_foreign(select)?;
        let mut block = Block {
            trees: self.from(&select.from)?,
            ..Block::default()
        };
        if let Some(selection) = &select.selection {
            self.where_clause(selection, &mut block)?;
        }
        self.named_windows(&select.named_window)?;
        block.targets = self.targets(&select.projection)?;
        if !keep_unknown {
            for (_, value) in &mut block.targets {
                *value = self.settle(value.clone())?;
            }
        }
        block.grouping = self.group_by(&select.group_by, &block.targets)?;
        if let Some(having) = &select.having {
            let having = self.within(Clause::Having, |a| a.expr(having))?;
            let having = self.boolean(having, "HAVING")?;
            conjuncts(having, &mut block.having);
        }
        block.order = self.order_by(tail.order, &block.targets)?;
        block.distinct = match &select.distinct {
            None | Some(ast::Distinct::All) => None,
            Some(ast::Distinct::Distinct) => Some(Vec::new()),
            Some(ast::Distinct::On(list)) => {
                Some(self.distinct_on(list, &block.targets, &block.order)?)
            }
        };
        if block.distinct.as_ref().is_some_and(Vec::is_empty) {
            let listed = |key: &Key| {
                block
                    .targets
                    .iter()
                    .any(|(_, value)| same(value, &key.expr))
            };
            if !block.order.iter().all(listed) {
                return Err(error::bad_reference(
                    "for SELECT DISTINCT, ORDER BY expressions must appear in select list",
                ));
            }
        }
        (block.limit, block.offset) = self.limit_values(tail)?;
        block.ties = tail.ties;
        block.locks = self.lock_clauses(tail.locks)?;
        let level = self.level();
        block.aggregates = core::mem::take(&mut level.aggregates);
        block.windows = core::mem::take(&mut level.windows);
        block.sets = core::mem::take(&mut level.sets);
        block.grouped =
            block.grouping.written || !block.aggregates.is_empty() || select.having.is_some();
        if block.grouped {
            self.group(&mut block)?;
        }
        self.check_locks(&block, select)?;
        Ok(block)
    }

    /// Puts everything above the aggregation in its terms.
    fn group(&mut self, block: &mut Block) -> SqlResult<()> {
        let mut grouping = core::mem::take(&mut block.grouping);
        let mut above = |a: &mut Self, list: &mut [&mut Expr]| -> SqlResult<()> {
            for expr in list.iter_mut() {
                let value = core::mem::replace(*expr, Expr::Row(Vec::new()));
                let value = a.grouping_values(value, &grouping)?;
                **expr = a.above_groups(value, &mut grouping)?;
            }
            Ok(())
        };
        let mut exprs: Vec<&mut Expr> = Vec::new();
        exprs.extend(block.targets.iter_mut().map(|(_, value)| value));
        exprs.extend(block.having.iter_mut());
        exprs.extend(block.order.iter_mut().map(|key| &mut key.expr));
        exprs.extend(block.distinct.iter_mut().flatten());
        exprs.extend(block.sets.iter_mut().map(|(_, call)| call));
        for window in &mut block.windows {
            exprs.extend(window.call.args.iter_mut());
            exprs.extend(window.call.filter.iter_mut());
            exprs.extend(window.partition.iter_mut());
            exprs.extend(window.order.iter_mut().map(|key| &mut key.expr));
        }
        above(self, &mut exprs)?;
        block.grouping = grouping;
        Ok(())
    }

    /// WHERE: conjuncts, with EXISTS and IN taken out as joins where possible.
    fn where_clause(&mut self, selection: &Ast, block: &mut Block) -> SqlResult<()> {
        let mut parts = Vec::new();
        split_and(selection, &mut parts);
        for part in parts {
            if let Some(semi) = self.as_semi_join(part)? {
                block.semis.push(semi);
                continue;
            }
            let condition = self.within(Clause::Where, |a| a.expr(part))?;
            let condition = self.boolean(condition, "WHERE")?;
            conjuncts(condition, &mut block.conditions);
        }
        Ok(())
    }

    fn named_windows(&mut self, list: &[ast::NamedWindowDefinition]) -> SqlResult<()> {
        for ast::NamedWindowDefinition(name, definition) in list {
            let name = fold(name);
            if self
                .level()
                .window_names
                .iter()
                .any(|(have, _)| *have == name)
            {
                return Err(SqlError::new(
                    SqlState::WINDOWING_ERROR,
                    format!("window \"{name}\" is already defined"),
                ));
            }
            let spec = match definition {
                ast::NamedWindowExpr::WindowSpec(spec) => spec.clone(),
                ast::NamedWindowExpr::NamedWindow(other) => {
                    let other = fold(other);
                    let found = self
                        .level()
                        .window_names
                        .iter()
                        .find(|(have, _)| *have == other);
                    found.map(|(_, spec)| spec.clone()).ok_or_else(|| {
                        SqlError::new(
                            SqlState::UNDEFINED_OBJECT,
                            format!("window \"{other}\" does not exist"),
                        )
                    })?
                }
            };
            self.level().window_names.push((name, spec));
        }
        Ok(())
    }

    /// The select list, or RETURNING.
    pub fn targets(&mut self, list: &[SelectItem]) -> SqlResult<Vec<Target>> {
        let mut out = Vec::new();
        for item in list {
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    if let Some(row) = self.row_star(expr)? {
                        out.extend(row);
                        continue;
                    }
                    let value = self.expr(expr)?;
                    out.push((column_name(expr), value));
                }
                SelectItem::ExprWithAlias { expr, alias } => {
                    out.push((fold(alias), self.expr(expr)?))
                }
                SelectItem::ExprWithAliases { .. } => {
                    return Err(SqlError::unsupported("several aliases of one expression"));
                }
                SelectItem::Wildcard(options) => {
                    plain_star(options)?;
                    out.extend(self.star()?);
                }
                SelectItem::QualifiedWildcard(kind, options) => {
                    plain_star(options)?;
                    let ast::SelectItemQualifiedWildcardKind::ObjectName(name) = kind else {
                        return Err(SqlError::unsupported("the fields of a composite value"));
                    };
                    let (schema, name) = crate::analyzer::qualified(name)?;
                    out.extend(self.star_of(schema.as_deref(), &name)?);
                }
            }
        }
        Ok(out)
    }

    /// `(item).*`.
    fn row_star(&mut self, expr: &Ast) -> SqlResult<Option<Vec<Target>>> {
        match expr {
            Ast::QualifiedWildcard(name, _) => {
                let (schema, name) = crate::analyzer::qualified(name)?;
                self.star_of(schema.as_deref(), &name).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn check_locks(&mut self, block: &Block, select: &ast::Select) -> SqlResult<()> {
        if block.locks.is_empty() {
            return Ok(());
        }
        let what = if select.distinct.is_some() {
            "DISTINCT clause"
        } else if block.grouping.written {
            "GROUP BY clause"
        } else if select.having.is_some() {
            "HAVING clause"
        } else if !block.aggregates.is_empty() {
            "aggregate functions"
        } else if !block.windows.is_empty() {
            "window functions"
        } else if !block.sets.is_empty() {
            "set-returning functions in the target list"
        } else {
            return Ok(());
        };
        Err(SqlError::new(
            SqlState::FEATURE_NOT_SUPPORTED,
            format!("FOR UPDATE is not allowed with {what}"),
        ))
    }
}

/// Clauses of other dialects, and SELECT INTO where it cannot stand.
fn refuse_foreign(select: &ast::Select) -> SqlResult<()> {
    let foreign = select.top.is_some()
        || select.exclude.is_some()
        || !select.lateral_views.is_empty()
        || select.prewhere.is_some()
        || !select.connect_by.is_empty()
        || !select.cluster_by.is_empty()
        || !select.distribute_by.is_empty()
        || !select.sort_by.is_empty()
        || select.qualify.is_some()
        || select.value_table_mode.is_some()
        || select.flavor != ast::SelectFlavor::Standard;
    if foreign {
        return Err(error::syntax(
            "syntax error in SELECT: a clause of another dialect",
        ));
    }
    if select.into.is_some() {
        return Err(error::syntax("SELECT ... INTO is not allowed here"));
    }
    Ok(())
}

fn plain_star(options: &ast::WildcardAdditionalOptions) -> SqlResult<()> {
    let extra = options.opt_ilike.is_some()
        || options.opt_exclude.is_some()
        || options.opt_except.is_some()
        || options.opt_replace.is_some()
        || options.opt_rename.is_some()
        || options.opt_alias.is_some();
    if extra {
        Err(error::syntax("syntax error after *"))
    } else {
        Ok(())
    }
}

/// Takes a chain of AND apart.
pub fn split_and<'e>(ast: &'e Ast, out: &mut Vec<&'e Ast>) {
    let mut stack = alloc::vec![ast];
    while let Some(ast) = stack.pop() {
        match ast {
            Ast::BinaryOp {
                left,
                op: ast::BinaryOperator::And,
                right,
            } => {
                stack.push(right);
                stack.push(left);
            }
            Ast::Nested(inner)
                if matches!(
                    &**inner,
                    Ast::BinaryOp {
                        op: ast::BinaryOperator::And,
                        ..
                    }
                ) =>
            {
                stack.push(inner);
            }
            other => out.push(other),
        }
    }
}

/// The name PostgreSQL gives a column without alias.
pub fn column_name(ast: &Ast) -> String {
    chosen_name(ast).map_or_else(|| "?column?".into(), |(name, _)| name)
}

/// The name, and whether it is a strong choice (a type's name is a weak one).
fn chosen_name(ast: &Ast) -> Option<(String, bool)> {
    let strong = |name: &str| Some((String::from(name), true));
    match ast {
        Ast::Identifier(ident) => Some((fold(ident), true)),
        Ast::CompoundIdentifier(list) => list.last().map(|ident| (fold(ident), true)),
        Ast::CompoundFieldAccess { root, access_chain } => match access_chain.last() {
            Some(ast::AccessExpr::Dot(Ast::Identifier(ident))) => Some((fold(ident), true)),
            _ => chosen_name(root),
        },
        Ast::Nested(inner) => chosen_name(inner),
        Ast::Collate { expr, .. } => chosen_name(expr),
        Ast::Function(call) => call.name.0.last().map(|part| match part {
            ast::ObjectNamePart::Identifier(ident) => (fold(ident), true),
            ast::ObjectNamePart::Function(f) => (fold(&f.name), true),
        }),
        Ast::Cast {
            expr, data_type, ..
        } => match chosen_name(expr) {
            Some((name, true)) => Some((name, true)),
            _ => Some((type_column(data_type), false)),
        },
        Ast::TypedString(typed) => Some((type_column(&typed.data_type), false)),
        Ast::Interval(_) => Some(("interval".into(), false)),
        Ast::Case { else_result, .. } => match else_result.as_deref().and_then(chosen_name) {
            Some((name, true)) => Some((name, true)),
            _ => Some(("case".into(), false)),
        },
        Ast::Array(_) => strong("array"),
        Ast::Tuple(_) => strong("row"),
        Ast::Exists { negated: false, .. } => strong("exists"),
        Ast::Subquery(query) => subquery_name(query),
        Ast::Extract { .. } => strong("extract"),
        Ast::Position { .. } => strong("position"),
        Ast::Substring { .. } => strong("substring"),
        Ast::Overlay { .. } => strong("overlay"),
        Ast::AtTimeZone { .. } => strong("timezone"),
        Ast::Ceil { .. } => strong("ceil"),
        Ast::Floor { .. } => strong("floor"),
        Ast::Trim { trim_where, .. } => strong(match trim_where {
            Some(ast::TrimWhereField::Leading) => "ltrim",
            Some(ast::TrimWhereField::Trailing) => "rtrim",
            _ => "btrim",
        }),
        Ast::Value(value) => match &value.value {
            ast::Value::Boolean(_) => Some(("bool".into(), false)),
            _ => None,
        },
        _ => None,
    }
}

fn subquery_name(query: &ast::Query) -> Option<(String, bool)> {
    match &*query.body {
        ast::SetExpr::Select(select) => match select.projection.first()? {
            SelectItem::UnnamedExpr(expr) => {
                chosen_name(expr).filter(|(_, strong)| *strong).or(None)
            }
            SelectItem::ExprWithAlias { alias, .. } => Some((fold(alias), true)),
            _ => None,
        },
        ast::SetExpr::Values(_) => Some(("column1".into(), true)),
        _ => None,
    }
}

/// A cast's column name: the type's name in the catalog.
fn type_column(data_type: &ast::DataType) -> String {
    use ast::DataType as D;
    let name = match data_type {
        D::Int(_) | D::Integer(_) | D::Int4(_) => "int4",
        D::SmallInt(_) | D::Int2(_) => "int2",
        D::BigInt(_) | D::Int8(_) => "int8",
        D::Real | D::Float4 => "float4",
        D::Float8 | D::DoublePrecision | D::Double(_) | D::Float(_) => "float8",
        D::Numeric(_) | D::Decimal(_) | D::Dec(_) => "numeric",
        D::Boolean | D::Bool => "bool",
        D::Varchar(_) | D::CharacterVarying(_) | D::CharVarying(_) => "varchar",
        D::Char(_) | D::Character(_) => "bpchar",
        D::Timestamp(_, ast::TimezoneInfo::WithTimeZone | ast::TimezoneInfo::Tz) => "timestamptz",
        D::Timestamp(..) => "timestamp",
        D::Time(..) => "time",
        D::Interval { .. } => "interval",
        D::Array(ast::ArrayElemTypeDef::SquareBracket(inner, _)) => return type_column(inner),
        D::Custom(name, _) => {
            return name.0.last().map_or_else(String::new, |part| match part {
                ast::ObjectNamePart::Identifier(ident) => fold(ident),
                ast::ObjectNamePart::Function(f) => fold(&f.name),
            });
        }
        other => return other.to_string().to_lowercase(),
    };
    name.into()
}

/// Whether any of these expressions uses a variable.
pub fn uses_vars(expr: &Expr) -> bool {
    any(expr, &mut |e| matches!(e, Expr::Column { .. }))
}
