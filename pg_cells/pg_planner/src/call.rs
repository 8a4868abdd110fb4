//! Calls: functions, and the forms of syntax that are calls.

use crate::aggregate::CallSyntax;
use crate::analyzer::{Analyzer, qualified};
use crate::coerce::{constant, null, unknown};
use crate::error;
use crate::walk::type_of;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use pg_builtins::{resolve_function, resolve_operator};
use pg_parser_port::ast::{self, Expr as Ast, FunctionArg, FunctionArgExpr, FunctionArguments};
use pg_plan::{Expr, SubLinkKind};
use pg_types::{Datum, Oid, SqlError, SqlResult, SqlState, oid};

impl Analyzer<'_> {
    /// A call as written.
    pub fn function(&mut self, call: &ast::Function) -> SqlResult<Expr> {
        let (schema, name) = qualified(&call.name)?;
        if schema.as_deref().is_some_and(|s| s != "pg_catalog") {
            return self.foreign_function(schema.as_deref().unwrap_or(""), &name, call);
        }
        if call.parameters != FunctionArguments::None || call.null_treatment.is_some() {
            return Err(SqlError::unsupported(format!(
                "this form of calling {name}"
            )));
        }
        let list = match &call.args {
            FunctionArguments::None => {
                if let Some(value) = self.bare_word(&name)? {
                    return Ok(value);
                }
                return Err(error::no_column(&name));
            }
            FunctionArguments::Subquery(query) if name == "array" => {
                return self.scalar_subquery(query, SubLinkKind::Array);
            }
            FunctionArguments::Subquery(query) => {
                let arg = self.scalar_subquery(query, SubLinkKind::Scalar)?;
                return self.function_call(&name, alloc::vec![arg]);
            }
            FunctionArguments::List(list) => list,
        };
        let syntax = self.call_syntax(call, list)?;
        if schema.is_none()
            && let Some(value) = self.keyword_call(&name, list)?
        {
            return Ok(value);
        }
        self.resolved_call(&name, syntax, list)
    }

    /// Modifiers of a call, collected.
    fn call_syntax<'s>(
        &mut self,
        call: &'s ast::Function,
        list: &'s ast::FunctionArgumentList,
    ) -> SqlResult<CallSyntax<'s>> {
        let mut syntax = CallSyntax {
            distinct: list.duplicate_treatment == Some(ast::DuplicateTreatment::Distinct),
            star: false,
            order: &[],
            filter: call.filter.as_deref(),
            over: call.over.as_ref(),
        };
        for clause in &list.clauses {
            match clause {
                ast::FunctionArgumentClause::OrderBy(order) => syntax.order = order,
                other => return Err(SqlError::unsupported(format!("{other} in a function call"))),
            }
        }
        if !call.within_group.is_empty() {
            return Err(SqlError::unsupported("WITHIN GROUP"));
        }
        syntax.star = matches!(
            list.args.as_slice(),
            [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)]
        );
        Ok(syntax)
    }

    /// The arguments' syntax trees.
    pub fn call_args<'s>(&self, list: &'s ast::FunctionArgumentList) -> SqlResult<Vec<&'s Ast>> {
        list.args
            .iter()
            .filter(|arg| !matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Wildcard)))
            .map(|arg| match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
                FunctionArg::Named { .. } | FunctionArg::ExprNamed { .. } => {
                    Err(SqlError::unsupported("named notation of arguments"))
                }
                _ => Err(SqlError::unsupported("a row as an argument")),
            })
            .collect()
    }

    fn resolved_call(
        &mut self,
        name: &str,
        syntax: CallSyntax<'_>,
        list: &ast::FunctionArgumentList,
    ) -> SqlResult<Expr> {
        let args = self.call_args(list)?;
        let mut named = pg_builtins::functions_named(name).peekable();
        let aggregate = named.peek().is_some_and(|f| f.is_aggregate());
        let window = named.peek().is_some_and(|f| f.is_window());
        if let Some(over) = syntax.over {
            return self.window_call(name, &syntax, &args, over);
        }
        if aggregate {
            return self.aggregate(name, &syntax, &args);
        }
        if window {
            return Err(SqlError::new(
                SqlState::WINDOWING_ERROR,
                format!("window function {name} requires an OVER clause"),
            ));
        }
        let plain = |what: &str| {
            SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("{what} specified, but {name} is not an aggregate function"),
            )
        };
        if syntax.distinct {
            return Err(plain("DISTINCT"));
        }
        if !syntax.order.is_empty() {
            return Err(plain("ORDER BY"));
        }
        if syntax.filter.is_some() {
            return Err(plain("FILTER"));
        }
        if syntax.star {
            return Err(SqlError::new(
                SqlState::WRONG_OBJECT_TYPE,
                format!("{name}(*) specified, but {name} is not an aggregate function"),
            ));
        }
        let args = self.exprs(args)?;
        self.function_call(name, args)
    }

    /// A call of a plain function over typed arguments.
    pub fn function_call(&mut self, name: &str, args: Vec<Expr>) -> SqlResult<Expr> {
        let types: Vec<Oid> = args.iter().map(type_of).collect();
        let resolved = match resolve_function(name, &types) {
            Ok(resolved) => resolved,
            // A call of one argument may be a cast: text(x), int4(x).
            Err(error) => {
                let cast = pg_types::typeinfo::type_by_name(name).filter(|t| t.typtype == b'b');
                let mut args = args;
                return match (cast, args.pop(), args.is_empty()) {
                    (Some(to), Some(arg), true) => self.cast(arg, to.oid, -1).map_err(|_| error),
                    _ => Err(error),
                };
            }
        };
        let args = self.coerced(args, &resolved.coercions, &resolved.arg_types)?;
        if resolved.func.returns_set() {
            return self.set_call(resolved.func.oid, args, resolved.ret);
        }
        Ok(self.call(resolved.func.oid, args, resolved.ret))
    }

    /// A set-returning function outside FROM: its rows are made below the
    /// projection, here stands the value.
    fn set_call(&mut self, function: Oid, args: Vec<Expr>, ret: Oid) -> SqlResult<Expr> {
        let clause = self.level().clause;
        if !matches!(
            clause,
            crate::analyzer::Clause::Select | crate::analyzer::Clause::OrderBy
        ) {
            return Err(SqlError::new(
                SqlState::FEATURE_NOT_SUPPORTED,
                format!(
                    "set-returning functions are not allowed in {}",
                    clause.name()
                ),
            ));
        }
        let name = pg_builtins::function_by_oid(function).map_or("set", |f| f.name);
        let var = self.computed(name, ret);
        let call = Expr::Call {
            function,
            args,
            type_oid: ret,
        };
        self.level().sets.push((var, call));
        Ok(self.var(var))
    }

    fn foreign_function(
        &mut self,
        schema: &str,
        name: &str,
        call: &ast::Function,
    ) -> SqlResult<Expr> {
        let mut types = Vec::new();
        if let FunctionArguments::List(list) = &call.args {
            for arg in self.call_args(list)? {
                let arg = self.expr(arg)?;
                types.push(type_of(&arg));
            }
        }
        Err(Self::no_function(&format!("{schema}.{name}"), &types))
    }

    /// Words that are values without parentheses.
    fn bare_word(&mut self, name: &str) -> SqlResult<Option<Expr>> {
        let type_oid = match name {
            "current_date" => oid::DATE,
            "current_timestamp" => oid::TIMESTAMPTZ,
            "localtimestamp" => oid::TIMESTAMP,
            "localtime" => oid::TIME,
            "current_time" => return Err(SqlError::unsupported("time with time zone")),
            "current_user" | "session_user" | "user" | "current_role" | "current_catalog"
            | "current_schema" => oid::NAME,
            _ => return Ok(None),
        };
        let name = match name {
            "user" | "current_role" => "current_user",
            name => name,
        };
        Ok(Some(Expr::Session {
            name: name.into(),
            type_oid,
        }))
    }

    /// Calls that are syntax of their own: COALESCE, NULLIF, GREATEST, ROW ...
    fn keyword_call(
        &mut self,
        name: &str,
        list: &ast::FunctionArgumentList,
    ) -> SqlResult<Option<Expr>> {
        Ok(Some(match name {
            "coalesce" => {
                let args = self.call_args(list)?;
                let args = self.exprs(args)?;
                if args.is_empty() {
                    return Err(error::syntax("syntax error at or near \")\""));
                }
                let (args, type_oid) = self.unify(args, "COALESCE")?;
                Expr::Coalesce { args, type_oid }
            }
            "greatest" | "least" => {
                let args = self.call_args(list)?;
                let args = self.exprs(args)?;
                let (args, type_oid) =
                    self.unify(args, if name == "least" { "LEAST" } else { "GREATEST" })?;
                Expr::MinMax {
                    args,
                    greatest: name == "greatest",
                    type_oid,
                }
            }
            "nullif" => return self.null_if(list).map(Some),
            "row" => {
                let mut fields = Vec::new();
                for arg in self.call_args(list)? {
                    let field = self.expr(arg)?;
                    fields.push(self.settle(field)?);
                }
                Expr::Row(fields)
            }
            "grouping" => return self.grouping_call(list).map(Some),
            "current_timestamp" | "localtimestamp" | "localtime" => {
                let value = self.bare_word(name)?;
                let args = self.call_args(list)?;
                let precision = match args.as_slice() {
                    [Ast::Value(v)] => v.to_string().parse::<i32>().ok(),
                    _ => None,
                };
                match (value, precision) {
                    (Some(value), Some(p)) => {
                        let of = type_of(&value);
                        self.modify(value, of, p.clamp(0, 6), true)
                    }
                    (Some(value), None) if args.is_empty() => value,
                    _ => return Err(error::syntax("syntax error in a precision")),
                }
            }
            "xmlelement" | "xmlforest" | "xmlagg" | "xmlparse" | "json_table" => {
                return Err(SqlError::unsupported(format!("the function {name}")));
            }
            _ => return Ok(None),
        }))
    }

    fn null_if(&mut self, list: &ast::FunctionArgumentList) -> SqlResult<Expr> {
        let args = self.call_args(list)?;
        let [left, right] = args.as_slice() else {
            return Err(error::syntax("NULLIF takes two arguments"));
        };
        let left = self.expr(left)?;
        let left = if matches!(
            &left,
            Expr::Const {
                value: Datum::Null,
                type_oid: oid::UNKNOWN
            }
        ) {
            null(oid::TEXT)
        } else {
            left
        };
        let right = self.expr(right)?;
        let resolved = resolve_operator("=", type_of(&left), type_of(&right))?;
        let type_oid = resolved.arg_types[0];
        let mut args = self.coerced(
            alloc::vec![left, right],
            &resolved.coercions,
            &resolved.arg_types,
        )?;
        let (Some(right), Some(left)) = (args.pop(), args.pop()) else {
            return Err(SqlError::internal("an operator without two operands"));
        };
        Ok(Expr::NullIf {
            left: left.into(),
            right: right.into(),
            equal: resolved.op.func,
            type_oid,
        })
    }

    /// Forms of syntax that are calls of functions.
    ///
    /// A dispatch table, so longer than a function should be.
    pub fn special_form(&mut self, ast: &Ast) -> SqlResult<Expr> {
        match ast {
            Ast::Extract { field, expr, .. } => {
                let value = self.expr(expr)?;
                let field = match field {
                    ast::DateTimeField::Custom(ident) => crate::analyzer::fold(ident),
                    other => other.to_string().to_lowercase(),
                };
                let field = constant(Datum::text(field.trim_matches('\'').to_string()), oid::TEXT);
                self.function_call("extract", alloc::vec![field, value])
            }
            Ast::AtTimeZone {
                timestamp,
                time_zone,
            } => {
                let value = self.expr(timestamp)?;
                let zone = self.expr(time_zone)?;
                self.function_call("timezone", alloc::vec![zone, value])
            }
            Ast::Position { expr, r#in } => {
                let args = alloc::vec![self.expr(r#in)?, self.expr(expr)?];
                self.function_call("position", args)
            }
            Ast::Ceil {
                expr,
                field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime),
            } => {
                let args = alloc::vec![self.expr(expr)?];
                self.function_call("ceil", args)
            }
            Ast::Floor {
                expr,
                field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime),
            } => {
                let args = alloc::vec![self.expr(expr)?];
                self.function_call("floor", args)
            }
            Ast::Substring {
                expr,
                substring_from,
                substring_for,
                ..
            } => {
                let mut args = alloc::vec![self.expr(expr)?];
                match (substring_from, substring_for) {
                    (Some(from), _) => args.push(self.expr(from)?),
                    (None, Some(_)) => args.push(constant(Datum::Int4(1), oid::INT4)),
                    (None, None) => {}
                }
                if let Some(count) = substring_for {
                    args.push(self.expr(count)?);
                }
                self.function_call("substring", args)
            }
            Ast::Overlay {
                expr,
                overlay_what,
                overlay_from,
                overlay_for,
            } => {
                let mut args = alloc::vec![
                    self.expr(expr)?,
                    self.expr(overlay_what)?,
                    self.expr(overlay_from)?
                ];
                if let Some(count) = overlay_for {
                    args.push(self.expr(count)?);
                }
                self.function_call("overlay", args)
            }
            Ast::Trim {
                trim_where,
                trim_what,
                expr,
                trim_characters,
            } => {
                let name = match trim_where {
                    None | Some(ast::TrimWhereField::Both) => "btrim",
                    Some(ast::TrimWhereField::Leading) => "ltrim",
                    Some(ast::TrimWhereField::Trailing) => "rtrim",
                };
                let mut args = alloc::vec![self.expr(expr)?];
                if let Some(what) = trim_what {
                    args.push(self.expr(what)?);
                } else if let Some([what]) = trim_characters.as_deref() {
                    args.push(self.expr(what)?);
                }
                self.function_call(name, args)
            }
            Ast::Prefixed { prefix, value } => {
                // A type name before a literal that sqlparser took for a charset.
                let Ast::Value(text) = &**value else {
                    return Err(SqlError::unsupported(format!("the expression {ast}")));
                };
                let data_type =
                    ast::DataType::Custom(alloc::vec![prefix.clone()].into(), Vec::new());
                let (to, typmod) = self.resolve_type(&data_type)?;
                let text = crate::literal::text_of(&text.value).unwrap_or_default();
                self.cast(unknown(&text), to, typmod)
            }
            other => {
                let mut text: String = other.to_string();
                text.truncate(text.char_indices().nth(60).map_or(text.len(), |(at, _)| at));
                Err(SqlError::unsupported(format!("the expression {text}")))
            }
        }
    }
}
