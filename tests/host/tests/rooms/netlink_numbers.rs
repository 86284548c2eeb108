// SPDX-License-Identifier: GPL-2.0-only

//! The numbers of the native family are those of its specification, all of them and no others.

use std::collections::BTreeMap;
use yaml_rust2::{Yaml, YamlLoader};

const CONSTANTS: &str = include_str!("../../../../rvs/control/uapi.rs");
const SPECIFICATION: &str = include_str!("../../../../docs/netlink/rvs.yaml");

/// The attribute set that a module of constants is for.
const SETS: [(&str, &str); 15] = [
    ("top", "rvs"),
    ("info", "info"),
    ("svc", "service"),
    ("dest", "server"),
    ("stats", "stats"),
    ("stats", "stats64"),
    ("conn", "connection"),
    ("filter", "filter"),
    ("drain", "drain"),
    ("flow", "flow"),
    ("explanation", "explanation"),
    ("totals", "totals"),
    ("drop", "drop"),
    ("event", "event"),
    ("packet", "packet"),
];

type Numbers = BTreeMap<String, i64>;

/// The constants of each module, by their names in the specification.
fn constants() -> BTreeMap<String, Numbers> {
    let mut modules: BTreeMap<String, Numbers> = BTreeMap::new();
    let mut module = String::new();
    for line in CONSTANTS.lines() {
        if let Some(name) = line.strip_prefix("pub mod ") {
            module = name.trim_end_matches(" {").to_string();
        }
        if let Some(constant) = line.strip_prefix("    pub const ") {
            let (name, rest) = constant.split_once(": ").unwrap();
            let (_, number) = rest.trim_end_matches(';').split_once(" = ").unwrap();
            let name = name
                .to_lowercase()
                .replace('_', "-")
                .replace("dest", "server");
            let numbers = modules.entry(module.clone()).or_default();
            numbers.insert(name, number.parse().unwrap());
        }
    }
    modules
}

fn specification() -> Yaml {
    YamlLoader::load_from_str(SPECIFICATION).unwrap().remove(0)
}

fn name_and(entry: &Yaml, value: &Yaml) -> (String, i64) {
    (
        entry["name"].as_str().unwrap().to_string(),
        value.as_i64().unwrap(),
    )
}

#[test]
fn every_attribute_has_its_specified_number_and_every_specified_one_is_there() {
    let (constants, specification) = (constants(), specification());
    for (module, name) in SETS {
        let sets = specification["attribute-sets"].as_vec().unwrap();
        let set = sets
            .iter()
            .find(|set| set["name"].as_str() == Some(name))
            .unwrap();
        let specified: Numbers = set["attributes"]
            .as_vec()
            .unwrap()
            .iter()
            .map(|attribute| name_and(attribute, &attribute["value"]))
            // Padding is never written.
            .filter(|(name, _)| name != "pad")
            .collect();
        let mut ours = constants[module].clone();
        if name == "stats" {
            // Only the wide ones tell when they were read.
            ours.remove("time");
        }
        assert_eq!(ours, specified, "{module} against {name}");
    }
}

#[test]
fn every_module_of_attributes_is_compared() {
    let mut compared: Vec<_> = SETS.map(|(module, _)| module).into();
    compared.push("cmd");
    compared.push("daemon"); // only the family IPVS has them
    compared.push("event_type"); // compared below
    for module in constants().keys() {
        assert!(
            compared.contains(&module.as_str()),
            "{module} is not compared"
        );
    }
}

#[test]
fn every_type_of_event_has_its_specified_number_and_every_specified_one_is_there() {
    let specification = specification();
    let definitions = specification["definitions"].as_vec().unwrap();
    let types = definitions
        .iter()
        .find(|definition| definition["name"].as_str() == Some("event-type"))
        .unwrap();
    let specified: Numbers = types["entries"]
        .as_vec()
        .unwrap()
        .iter()
        .map(|entry| name_and(entry, &entry["value"]))
        .collect();
    assert_eq!(constants()["event_type"], specified);
}

#[test]
fn every_command_has_its_specified_number_and_every_specified_one_is_there() {
    let (constants, specification) = (constants(), specification());
    let mut specified = Numbers::new();
    let mut replies = Vec::new();
    for operation in specification["operations"]["list"].as_vec().unwrap() {
        let request = ["do", "dump"].map(|mode| &operation[mode]["request"]["value"]);
        let value = [&operation["value"], request[0], request[1]];
        let value = value
            .into_iter()
            .find(|value| !value.is_badvalue())
            .unwrap();
        let (name, number) = name_and(operation, value);
        for mode in ["do", "dump"] {
            if let Some(reply) = operation[mode]["reply"]["value"].as_i64() {
                replies.push((name.clone(), reply));
            }
        }
        specified.insert(name, number);
    }
    // Replies to `get-x` carry `new-x` or `set-x`, those to other requests one or the other of something.
    for (request, number) in replies {
        let reply = constants["cmd"].iter().find(|(name, ours)| {
            let object = name
                .strip_prefix("new-")
                .or_else(|| name.strip_prefix("set-"));
            let asked = request.strip_prefix("get-");
            **ours == number && object.is_some() && (asked.is_none() || asked == object)
        });
        let (name, _) = reply.unwrap_or_else(|| panic!("the reply of {request}"));
        specified.insert(name.clone(), number);
    }
    let ours: Numbers = constants["cmd"]
        .iter()
        // Only the family IPVS has these.
        .filter(|(name, _)| !name.ends_with("-daemon"))
        .map(|(name, number)| (name.clone(), *number))
        .collect();
    assert_eq!(ours, specified);
}
