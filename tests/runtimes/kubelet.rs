//! What the kubelet makes of a container's `env` at its start (`makeEnvironmentVariables`): fields are computed, rounded up,
//! and `$(NAME)` is replaced where the name stands before.

use podfit::quantity::Quantity;
use serde_json::Value;

/// Names and values in order.
pub fn environment(container: &Value) -> Vec<(String, String)> {
    let mut environment: Vec<(String, String)> = Vec::new();
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().unwrap().to_owned();
        let field = &variable["valueFrom"]["resourceFieldRef"];
        let value = match field["resource"].as_str() {
            Some(resource) => resource_field(container, resource, field["divisor"].as_str().unwrap_or("1")),
            None => expanded(variable["value"].as_str().unwrap_or_default(), &environment),
        };
        environment.push((name, value));
    }
    environment
}

fn resource_field(container: &Value, resource: &str, divisor: &str) -> String {
    let name = resource.strip_prefix("limits.").unwrap();
    let limit = Quantity::parse(container["resources"]["limits"][name].as_str().unwrap()).unwrap();
    let divisor = Quantity::parse(divisor).unwrap();
    match name {
        "cpu" => limit.millis().div_ceil(divisor.millis()).to_string(),
        _ => limit.units().div_ceil(divisor.units()).to_string(),
    }
}

fn expanded(value: &str, before: &[(String, String)]) -> String {
    before.iter().fold(value.to_owned(), |text, (name, value)| text.replace(&format!("$({name})"), value))
}
