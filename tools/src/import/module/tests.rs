use super::super::parser::Value;
use super::*;

fn config(source: &str) -> Literal {
    parse(source, 0).unwrap().config.unwrap()
}

/// In the words of Python, of what is no dict.
fn shown(value: &Value) -> String {
    let items =
        |items: &[Literal]| items.iter().map(|item| shown(&item.value)).collect::<Vec<_>>().join(", ");
    match value {
        Value::None => "None".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::List(list) => format!("[{}]", items(list)),
        Value::Dict(members) => {
            let members = members.iter().map(|(key, value)| format!("{key}: {}", shown(&value.value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        Value::Opaque(source) => format!("<{source}>"),
    }
}

#[test]
fn literals_are_evaluated() {
    let source = "
import os
'''A text.'''
PORT = 4001; host = 'h'
base = dict(a=1, b=[1, 2.5, -3, 0x1F, 1_000],)
config = dict(
one='a' \"b\"
    'c',   # joined
two={'x.y': (1,), 'z': (2), 3: None, 'set': {1, 2}},
three=[True, False, [], (), {}],
port=PORT, **base
)
";
    let expected = "{one: \"abc\", two: {x.y: [1], z: 2, 3: None, set: [1, 2]}, \
                    three: [true, false, [], [], {}], port: 4001, a: 1, b: [1, 2.5, -3, 31, 1000]}";
    assert_eq!(shown(&config(source).value), expected);
    assert_eq!(shown(&config("config = {'a': 1, **{'b': 2}, 'a': 3}").value), "{a: 3, b: 2}");
}

#[test]
fn what_would_have_to_be_run_is_quoted_and_never_run() {
    let source = "config = dict(
a=os.getcwd() + '/pki', b='%s' % host, c=f'{x}', d=[x for x in y], e=1 if z else 2,
f=bool(int(os.environ.get('A', '0'))), g=lambda x: {1: 2}, h=unknown, i=b'x', j='a' + 'b', k=not True,
l={'k' + n: 1}, m=[1, 2][0], **extra(1)
)";
    let expected = "{a: <os.getcwd() + '/pki'>, b: <'%s' % host>, c: <f'{x}'>, d: [<x for x in y>], \
                    e: <1 if z else 2>, f: <bool(int(os.environ.get('A', '0')))>, g: <lambda x: {1: 2}>, \
                    h: <unknown>, i: <b'x'>, j: <'a' + 'b'>, k: <not True>, l: {'k' + n: <'k' + n>}, \
                    m: <[1, 2][0]>, **extra(1): <extra(1)>}";
    assert_eq!(shown(&config(source).value), expected);
    let Value::Dict(members) = config(source).value else { panic!("a dict") };
    assert_eq!(members.iter().map(|(_, value)| value.line).collect::<Vec<_>>()[..7], [2, 2, 2, 2, 2, 3, 3]);
}

/// What of it is not evaluated: lines and first words.
fn skipped(source: &str) -> Vec<(usize, String)> {
    parse(source, 0).unwrap().skipped
}

fn named(expected: &[(usize, &str)]) -> Vec<(usize, String)> {
    expected.iter().map(|(line, words)| (*line, (*words).to_owned())).collect()
}

#[test]
fn statements_that_are_not_evaluated_are_named() {
    let source = "config = {}\nif x:\n    config = 1\nconfig['a'] = 2\nconfig.update(\n a=1)\nprint('x')\n";
    assert_eq!(shown(&config(source).value), "{}");
    let expected = [(2, "if x:"), (4, "config['a'] = 2"), (5, "config.update( …"), (7, "print('x')")];
    assert_eq!(skipped(source), named(&expected));
}

#[test]
fn what_is_run_sometimes_is_skipped_to_the_end_of_its_line_and_block() {
    for begin in ["if False", "else", "for x in y", "class A", "with x", "def f()", "try", "while x"] {
        let source = format!("a = 1; config = [a]\n{begin}: x = 1; config = 2\n\t\n\n  y = 2; config = 3\n");
        assert_eq!(shown(&config(&source).value), "[1]", "{source}");
        assert_eq!(skipped(&source), named(&[(2, &format!("{begin}: x = 1; config = 2"))]));
    }
}

#[test]
fn several_names_may_be_set_at_once() {
    for source in ["cfg = config = {'a': 1}", "config = cfg = {'a': 1}\ncfg = 2"] {
        assert_eq!(shown(&config(source).value), "{a: 1}");
    }
}

#[test]
fn imports_are_named_where_they_may_bring_the_configuration_and_their_names_are_unknown() {
    for source in
        ["from base import config", "from base import a as config", "from base import *", "import config"]
    {
        assert_eq!(skipped(source), named(&[(1, source)]));
    }
    assert_eq!(skipped("import os\nfrom config import (a,\n  b)\n"), []);
    let source = "a = b = 1\nfrom base import a\nconfig = [a, b]";
    assert_eq!(shown(&config(source).value), "[<a>, 1]");
}

#[test]
fn a_page_break_does_not_indent() {
    assert_eq!(shown(&config("\x0cconfig = 1").value), "1");
}

#[test]
fn numbers_of_python_2_are_not_guessed_at() {
    let shown = shown(&config("config = [0777, 0, 00, 0o17, 10L, 0.5, 09.5, 0_7]").value);
    assert_eq!(shown, "[<0777>, 0, 0, 15, <10L>, 0.5, 9.5, <0_7>]");
}

#[test]
fn nothing_makes_it_deeper_or_larger_than_it_can_bear() {
    let minuses = format!("config = {}1", "-".repeat(1_000_000));
    assert!(matches!(config(&minuses).value, Value::Opaque(_)));
    let deep = format!("config = 1\n{}", "config = [config]\n".repeat(10_000));
    assert!(shown(&config(&deep).value).contains("<config>"));
    let doubled = format!("config = ['x']\n{}", "config = [config, config]\n".repeat(60));
    assert!(shown(&config(&doubled).value).contains("<config>"));
    let long = format!("a = '{}'\nconfig = [{}]", "x".repeat(1_000_000), "a,".repeat(1000));
    assert!(shown(&config(&long).value).ends_with("<a>]"));
}

#[test]
fn what_is_no_python_is_an_error_with_its_line() {
    for (source, line) in
        [("config = [1 2\n", 1), ("\nconfig = {'a': }", 2), ("config = (1,\n", 1), ("config =", 1)]
    {
        let error = parse(source, 0).unwrap_err();
        assert!(matches!(error, SyntaxError::Unexpected(at) if at == line), "{source:?}: {error}");
    }
    assert!(parse(&format!("config = {}", "[".repeat(100_000)), 0).is_err());
}

#[test]
fn no_text_makes_it_panic() {
    let source = "config = dict(a='x', b=[1, {'c': -2}], **d(e)) # f\n'''g''' \\\n";
    for from in 0..source.len() {
        for to in from..=source.len() {
            drop(parse(&source[from..to], 0));
        }
    }
}
