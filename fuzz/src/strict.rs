//! A second opinion on patches: the API server's library with what podfit may use of it, and nothing else. `add` to a parent
//! that is there, `replace` of an env entry, and every step can be undone, so that what is left is the user's.

use serde_json::Value;

/// A tree with a patch applied.
#[derive(Debug)]
pub struct Applied {
    pub tree: Value,
    undo: Vec<(Vec<String>, Option<Value>)>,
    /// Where env entries were replaced, with the entry that stood there.
    pub replaced: Vec<(String, Value)>,
}

/// # Errors
/// An operation that the API server would refuse, or that podfit must never send.
pub fn apply(tree: &Value, operations: &[Value]) -> Result<Applied, String> {
    let mut applied = Applied { tree: tree.clone(), undo: Vec::new(), replaced: Vec::new() };
    for operation in operations {
        step(&mut applied, operation).map_err(|why| format!("{operation}: {why}"))?;
    }
    Ok(applied)
}

impl Applied {
    /// The tree without exactly what the patch brought.
    pub fn undone(&self) -> Value {
        let mut tree = self.tree.clone();
        for (path, before) in self.undo.iter().rev() {
            let (last, parents) = path.split_last().unwrap();
            match (parent(&mut tree, parents).unwrap(), before) {
                (Value::Object(members), Some(before)) => drop(members.insert(last.clone(), before.clone())),
                (Value::Object(members), None) => drop(members.shift_remove(last).unwrap()),
                (Value::Array(items), Some(before)) => items[last.parse::<usize>().unwrap()] = before.clone(),
                (Value::Array(items), None) => drop(items.remove(last.parse().unwrap())),
                _ => unreachable!("it was a parent before"),
            }
        }
        tree
    }
}

fn step(applied: &mut Applied, operation: &Value) -> Result<(), String> {
    let members = operation.as_object().ok_or("no object")?;
    if !members.keys().eq(["op", "path", "value"]) {
        return Err("other members than op, path and value".to_owned());
    }
    let pointer = operation["path"].as_str().ok_or("path is no text")?;
    let path: Vec<String> = pointer.split('/').skip(1).map(unescaped).collect::<Result<_, _>>()?;
    let (last, parents) = path.split_last().ok_or("it replaces the whole object")?;
    let value = operation["value"].clone();
    let parent = parent(&mut applied.tree, parents)?;
    let before = match (operation["op"].as_str(), parent) {
        (Some("add"), Value::Object(members)) => {
            let before = members.insert(last.clone(), value);
            if before.as_ref().is_some_and(|before| !before.is_null()) && last != "podfit.dev/injected" {
                return Err("something of the user's stands there".to_owned());
            }
            before
        }
        (Some("add"), Value::Array(items)) => {
            let index: usize = last.parse().map_err(|_| "no index")?;
            if index > items.len() || last != &index.to_string() {
                return Err("the index is out of bounds".to_owned());
            }
            items.insert(index, value);
            None
        }
        (Some("replace"), Value::Array(items)) if parents.last().is_some_and(|key| key == "env") => {
            let index: usize = last.parse().map_err(|_| "no index")?;
            let item = items.get_mut(index).ok_or("the index is out of bounds")?;
            let before = std::mem::replace(item, value);
            applied.replaced.push((pointer.to_owned(), before.clone()));
            Some(before)
        }
        _ => return Err("the operation is not one of ours, or its parent is no map or list".to_owned()),
    };
    applied.undo.push((path, before));
    Ok(())
}

fn parent<'t>(tree: &'t mut Value, path: &[String]) -> Result<&'t mut Value, String> {
    path.iter().try_fold(tree, |node, token| {
        let child = match node {
            Value::Object(members) => members.get_mut(token),
            Value::Array(items) => token.parse::<usize>().ok().and_then(|index| items.get_mut(index)),
            _ => None,
        };
        child.filter(|child| !child.is_null()).ok_or_else(|| format!("{token} is not there"))
    })
}

fn unescaped(token: &str) -> Result<String, String> {
    let plain = token.replace("~1", "/").replace("~0", "~");
    if plain.replace('~', "~0").replace('/', "~1") == token {
        Ok(plain)
    } else {
        Err(format!("{token} is not escaped"))
    }
}
