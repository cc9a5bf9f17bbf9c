//! What a Python file sets, as far as that can be told without running it: assignments of values to names. Every other
//! statement that may matter is named.

use std::rc::Rc;

use super::lexer::{Kind, Token, tokens};
use super::parser::{Literal, Scope, SyntaxError, span};

/// With these begins what Python runs sometimes, or later, or more than once: the rest of the line, and what is indented
/// below it.
const COMPOUND: &[&str] =
    &["async", "class", "def", "elif", "else", "except", "finally", "for", "if", "try", "while", "with"];

/// What was found in a file.
#[derive(Debug, Default)]
pub(super) struct Module {
    /// What `config` is set to.
    pub(super) config: Option<Literal>,
    /// Statements that may matter and are not evaluated: line and first words.
    pub(super) skipped: Vec<(usize, String)>,
}

/// Reads a file; `file` is what its literals are marked with.
pub(super) fn parse(source: &str, file: usize) -> Result<Module, SyntaxError> {
    let tokens = tokens(source)?;
    let mut module = Module::default();
    let mut scope = Scope::new(source, file);
    for line in tokens.split(|token| token.kind == Kind::End && token.text != ";") {
        match line.first() {
            // What is indented belongs to a compound statement that was named.
            Some(first) if first.indented => {}
            Some(first) if COMPOUND.contains(&first.text) => module.skip(source, line),
            _ => {
                for statement in line.split(|token| token.kind == Kind::End) {
                    module.statement(&mut scope, statement)?;
                }
            }
        }
    }
    module.config = scope.variables.remove("config").map(Rc::unwrap_or_clone);
    Ok(module)
}

impl Module {
    fn statement<'s>(&mut self, scope: &mut Scope<'s>, statement: &[Token<'s>]) -> Result<(), SyntaxError> {
        let (names, expression) = targets(statement);
        match statement {
            [] | [Token { kind: Kind::Text(_) | Kind::OpaqueText, .. }] => {}
            [Token { text: "import" | "from", .. }, ..] => {
                let imported: Vec<&str> =
                    statement.iter().map(|token| token.text).skip_while(|text| *text != "import").collect();
                scope.variables.retain(|name, _| !imported.contains(name));
                if imported.iter().any(|name| matches!(*name, "config" | "*")) {
                    self.skip(scope.source, statement);
                }
            }
            _ if names.is_empty() => self.skip(scope.source, statement),
            _ => {
                let value = Rc::new(scope.value(expression)?);
                scope.variables.extend(names.into_iter().map(|name| (name, Rc::clone(&value))));
            }
        }
        Ok(())
    }

    fn skip(&mut self, source: &str, tokens: &[Token<'_>]) {
        let text = span(source, tokens);
        let line = text.lines().next().unwrap_or_default().trim_end();
        let words = if line.len() < text.len() { format!("{line} …") } else { line.to_owned() };
        self.skipped.extend(tokens.first().map(|first| (first.line, words)));
    }
}

/// The names that a statement sets, and what to; no names if it is no assignment to names.
fn targets<'t, 's>(statement: &'t [Token<'s>]) -> (Vec<&'s str>, &'t [Token<'s>]) {
    let (mut names, mut expression) = (Vec::new(), statement);
    while let [name, Token { text: "=", kind: Kind::Sign, .. }, rest @ ..] = expression
        && name.kind == Kind::Name
    {
        names.push(name.text);
        expression = rest;
    }
    (names, expression)
}

#[cfg(test)]
mod tests;
