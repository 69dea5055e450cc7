//! The wire contract as lines of text: what two versions must agree on, and nothing else.

use protox::prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use protox::prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
    FileDescriptorSet, ServiceDescriptorProto,
};

/// One line for each message, field, enum value and method of the files that `of` names, sorted.
pub(crate) fn lines(descriptors: &FileDescriptorSet, of: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    for file in descriptors.file.iter().filter(|file| of(file.name())) {
        add_file(file, &mut lines);
    }
    lines.sort();
    lines
}

/// The lines of `old` that `fresh` does not have: whatever was removed, renamed, renumbered or given another type.
pub(crate) fn broken(old: &str, fresh: &[String]) -> Vec<String> {
    let is_gone = |line: &&str| !line.is_empty() && !fresh.iter().any(|known| known == line);
    old.lines().filter(is_gone).map(str::to_owned).collect()
}

fn add_file(file: &FileDescriptorProto, lines: &mut Vec<String>) {
    let package = file.package();
    for message in &file.message_type {
        add_message(package, message, lines);
    }
    for choice in &file.enum_type {
        add_enum(package, choice, lines);
    }
    for service in &file.service {
        add_service(package, service, lines);
    }
}

fn add_message(scope: &str, message: &DescriptorProto, lines: &mut Vec<String>) {
    let name = format!("{scope}.{}", message.name());
    lines.push(format!("message {name}"));
    for field in &message.field {
        lines.push(format!("field {name}.{}", described(message, field)));
    }
    for nested in &message.nested_type {
        add_message(&name, nested, lines);
    }
    for choice in &message.enum_type {
        add_enum(&name, choice, lines);
    }
}

/// `completion = 3, bytes, in oneof completion`.
fn described(message: &DescriptorProto, field: &FieldDescriptorProto) -> String {
    let kind = match field.r#type() {
        Type::Message | Type::Enum => field.type_name().trim_start_matches('.').to_owned(),
        scalar => scalar.as_str_name()[5..].to_lowercase(),
    };
    let group = field
        .oneof_index
        .filter(|_| !field.proto3_optional())
        .and_then(|index| message.oneof_decl.get(index as usize));
    let place = match (field.label(), group) {
        (Label::Repeated, _) => "repeated".to_owned(),
        (_, Some(group)) => format!("in oneof {}", group.name()),
        _ if field.proto3_optional() => "optional".to_owned(),
        _ => "single".to_owned(),
    };
    format!("{} = {}, {kind}, {place}", field.name(), field.number())
}

fn add_enum(scope: &str, choice: &EnumDescriptorProto, lines: &mut Vec<String>) {
    let name = format!("{scope}.{}", choice.name());
    lines.push(format!("enum {name}"));
    for value in &choice.value {
        lines.push(format!(
            "value {name}.{} = {}",
            value.name(),
            value.number()
        ));
    }
}

fn add_service(scope: &str, service: &ServiceDescriptorProto, lines: &mut Vec<String>) {
    for method in &service.method {
        let stream = |is: bool| if is { "stream " } else { "" };
        lines.push(format!(
            "method {scope}.{}.{}({}{}) returns ({}{})",
            service.name(),
            method.name(),
            stream(method.client_streaming()),
            method.input_type().trim_start_matches('.'),
            stream(method.server_streaming()),
            method.output_type().trim_start_matches('.'),
        ));
    }
}
