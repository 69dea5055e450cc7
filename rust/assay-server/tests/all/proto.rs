//! The checked-in wire code is what the `.proto` files generate, and they break no caller.

#[path = "../../examples/generate/main.rs"]
mod generate;

use std::path::Path;

use generate::contract;
use protox::prost_reflect::prost_types::FileDescriptorSet;

#[test]
fn checked_in_code_is_up_to_date() {
    let out = std::env::temp_dir().join(format!("assay-generate-{}", std::process::id()));
    std::fs::create_dir_all(&out).unwrap();
    let result = generate::generate(&out);
    let read = |folder: &Path, file: &str| std::fs::read(folder.join(file)).unwrap();
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pb");
    for file in ["assay.v1.rs", "schema.rs", "descriptors.bin"] {
        let fresh = read(&out, file);
        assert!(
            fresh == read(&checked_in, file),
            "src/pb/{file} is stale: run `make proto` and commit the result"
        );
    }
    std::fs::remove_dir_all(&out).unwrap();
    result.unwrap();
}

#[test]
fn no_caller_is_broken() {
    let old = std::fs::read_to_string(generate::contract_file()).unwrap();
    let fresh = contract::lines(&generate::descriptors().unwrap(), |_| true);
    let broken = contract::broken(&old, &fresh);
    assert!(
        broken.is_empty(),
        "these may never change: {broken:#?}; see the rules in spec.proto"
    );
    assert!(
        old.lines().eq(&fresh),
        "proto/contract.txt lacks what is new: run `make proto` and commit the result"
    );
}

/// Lines that break when `change` is made.
fn breaks(change: impl FnOnce(&mut FileDescriptorSet)) -> Vec<String> {
    let mut descriptors = generate::descriptors().unwrap();
    let old = contract::lines(&descriptors, |_| true).join("\n");
    change(&mut descriptors);
    contract::broken(&old, &contract::lines(&descriptors, |_| true))
}

#[test]
fn what_breaks_a_caller_is_seen_and_what_is_new_does_not() {
    use protox::prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
    use protox::prost_reflect::prost_types::{DescriptorProto, EnumDescriptorProto};

    fn message<'a>(set: &'a mut FileDescriptorSet, name: &str) -> &'a mut DescriptorProto {
        let mut messages = set.file.iter_mut().flat_map(|file| &mut file.message_type);
        messages.find(|message| message.name() == name).unwrap()
    }
    fn codes(set: &mut FileDescriptorSet) -> &mut EnumDescriptorProto {
        let mut enums = set.file.iter_mut().flat_map(|file| &mut file.enum_type);
        enums.find(|choice| choice.name() == "ErrorCode").unwrap()
    }
    let field = "field assay.v1.Item.id = 1, string, single";
    assert_eq!(
        breaks(|set| drop(message(set, "Item").field.remove(0))),
        [field]
    );
    assert_eq!(
        breaks(|set| message(set, "Item").field[0].number = Some(9)),
        [field]
    );
    assert_eq!(
        breaks(|set| message(set, "Item").field[0].name = Some("name".to_owned())),
        [field]
    );
    let bytes = Type::Bytes as i32;
    assert_eq!(
        breaks(|set| message(set, "Item").field[0].r#type = Some(bytes)),
        [field]
    );
    let repeated = Label::Repeated as i32;
    assert_eq!(
        breaks(|set| message(set, "Item").field[0].label = Some(repeated)),
        [field]
    );
    let out_of_its_oneof = breaks(|set| message(set, "Item").field[1].oneof_index = None);
    assert_eq!(
        out_of_its_oneof,
        ["field assay.v1.Item.text = 2, string, in oneof completion"]
    );
    assert_eq!(
        breaks(|set| codes(set).value[1].number = Some(7)),
        ["value assay.v1.ErrorCode.ERROR_CODE_UNDECIDED = 1"]
    );
    let unary = breaks(|set| {
        let mut services = set.file.iter_mut().flat_map(|file| &mut file.service);
        services.next().unwrap().method[0].server_streaming = Some(true);
    });
    assert_eq!(unary.len(), 1);

    let added = breaks(|set| {
        let item = message(set, "Item");
        let mut field = item.field[0].clone();
        (field.name, field.number) = (Some("extra".to_owned()), Some(99));
        item.field.push(field);
        let mut value = codes(set).value[0].clone();
        (value.name, value.number) = (Some("ERROR_CODE_NEW".to_owned()), Some(99));
        codes(set).value.push(value);
        set.file[0].message_type.push(DescriptorProto {
            name: Some("New".to_owned()),
            ..DescriptorProto::default()
        });
    });
    assert!(added.is_empty(), "{added:?}");
}
