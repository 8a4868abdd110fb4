//! Who may depend on whom.

use crate::tree::{Member, expect_none, members};

/// The database, lowest first: a crate may depend on its own level and below.
///
/// Transactions stand below the tables: a heap asks them who sees a tuple, and
/// they know pages only. The planner reads the parser's tree, so it stands above.
const LEVELS: [&[&str]; 11] = [
    &["nvme_port"],
    &["pg_wal"],
    &["pg_buffer"],
    &["pg_temp"],
    &["pg_txn"],
    &["pg_heap", "pg_btree"],
    &["pg_catalog"],
    &["pg_executor", "pg_check"],
    &["pg_parser"],
    &["pg_planner"],
    &["pg_wire"],
];

fn level(name: &str) -> Option<usize> {
    let cell = name.strip_suffix("_port").unwrap_or(name);
    LEVELS
        .iter()
        .position(|names| names.contains(&cell) || names.contains(&name))
}

fn find(name: &str) -> Option<&'static Member> {
    members().iter().find(|member| member.name == name)
}

fn is_below(member: &Member, folder: &str) -> bool {
    member.folder.starts_with(&format!("{folder}/"))
}

fn faults(is_fault: impl Fn(&Member, &Member) -> bool) -> Vec<String> {
    let mut faults = Vec::new();
    for member in members() {
        for dependency in member.dependencies.iter().filter_map(|name| find(name)) {
            if is_fault(member, dependency) {
                faults.push(format!("{} -> {}", member.name, dependency.name));
            }
        }
    }
    faults
}

#[test]
fn cells_depend_on_ports_and_libraries_only() {
    let is_fault = |member: &Member, dependency: &Member| {
        (is_below(member, "cells") || is_below(member, "pg_cells")) && dependency.has_port()
    };
    expect_none("a cell is called through its port", &faults(is_fault));
}

#[test]
fn libraries_know_no_port() {
    // The foundation speaks of the running task, which is a port.
    let foundation = ["task_port"];
    let is_fault = |member: &Member, dependency: &Member| {
        let is_library = !member.has_port() && !member.name.ends_with("_port");
        is_library
            && is_below(member, "pg_cells")
            && dependency.name.ends_with("_port")
            && !foundation.contains(&dependency.name.as_str())
    };
    expect_none(
        "a library of the database depends on a port",
        &faults(is_fault),
    );
}

#[test]
fn nothing_in_cells_knows_the_database() {
    let is_fault = |member: &Member, dependency: &Member| {
        is_below(member, "cells") && is_below(dependency, "pg_cells")
    };
    expect_none("arrows run from pg_cells to cells", &faults(is_fault));
}

#[test]
fn the_system_does_not_depend_on_the_host_side() {
    let host = ["build-tools", "build-tools/offline", "tests"];
    let is_host = |member: &Member| host.contains(&member.folder.as_str());
    let is_fault = |member: &Member, dependency: &Member| !is_host(member) && is_host(dependency);
    expect_none("the host side is not part of the system", &faults(is_fault));
}

#[test]
fn database_arrows_point_down() {
    let is_fault =
        |member: &Member, dependency: &Member| match (level(&member.name), level(&dependency.name))
        {
            (Some(own), Some(other)) => other > own,
            _ => false,
        };
    expect_none(
        "wire > planner > parser > executor > catalog > heap, btree > txn > buffer > wal > nvme_port",
        &faults(is_fault),
    );
}

#[test]
fn the_levels_name_members() {
    let unknown: Vec<String> = LEVELS
        .iter()
        .flat_map(|names| names.iter())
        .filter(|name| find(name).is_none())
        .map(|name| name.to_string())
        .collect();
    expect_none("a level names a crate that does not exist", &unknown);
}

#[test]
fn every_manifest_has_a_description() {
    let missing: Vec<String> = members()
        .iter()
        .filter(|member| member.description.len() < 20)
        .map(|member| member.folder.clone())
        .collect();
    expect_none("a description says what the crate is for", &missing);
}
