//! The items of a source file with what their doc comments say.

use syn::spanned::Spanned;
use syn::visit::{self, Visit};

/// A function, type, constant, variant, field or module that stands in a file.
#[derive(Debug, Clone)]
pub struct Item {
    pub file: String,
    /// As one would say it: `Bus::handle_cron`, `Fact::Pfail`; empty for the file itself.
    pub path: String,
    /// The last part of the path.
    pub name: String,
    /// The doc comment, one text with its line breaks.
    pub doc: String,
    pub line: usize,
    /// The lines of the item, its doc comment included.
    pub text: String,
    /// A function marked `#[test]`.
    pub is_test: bool,
}

/// Every item of a file, the file first.
pub fn items(file: &str, text: &str) -> Vec<Item> {
    let code = syn::parse_file(text).unwrap_or_else(|e| panic!("{file}:{}: {e}", e.span().start().line));
    let mut walk = Walk { file, lines: text.lines().collect(), path: Vec::new(), found: Vec::new() };
    walk.found.push(Item {
        file: file.to_string(),
        path: String::new(),
        name: String::new(),
        doc: doc(&code.attrs),
        line: 1,
        text: String::new(),
        is_test: false,
    });
    walk.visit_file(&code);
    walk.found
}

/// The lines of a doc comment.
pub fn doc(attributes: &[syn::Attribute]) -> String {
    let lines = attributes.iter().filter_map(|a| {
        let syn::Meta::NameValue(pair) = &a.meta else { return None };
        match (&pair.value, pair.path.is_ident("doc")) {
            (syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(line), .. }), true) => Some(line.value()),
            _ => None,
        }
    });
    let lines: Vec<String> = lines.map(|l| l.strip_prefix(' ').unwrap_or(&l).to_string()).collect();
    lines.join("\n")
}

struct Walk<'a> {
    file: &'a str,
    lines: Vec<&'a str>,
    path: Vec<String>,
    found: Vec<Item>,
}

impl Walk<'_> {
    fn add(&mut self, name: &str, attributes: &[syn::Attribute], span: proc_macro2::Span) {
        let (first, last) = (span.start().line, span.end().line);
        let path: Vec<&str> = self.path.iter().map(String::as_str).chain([name]).collect();
        self.found.push(Item {
            file: self.file.to_string(),
            path: path.join("::"),
            name: name.to_string(),
            doc: doc(attributes),
            line: first,
            text: self.lines[first - 1..last].join("\n"),
            is_test: attributes.iter().any(|a| a.path().is_ident("test")),
        });
    }

    fn within(&mut self, name: String, walk: impl FnOnce(&mut Self)) {
        self.path.push(name);
        walk(self);
        self.path.pop();
    }
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig.ident.to_string(), &item.attrs, item.span());
    }
    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig.ident.to_string(), &item.attrs, item.span());
    }
    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        self.add(&item.sig.ident.to_string(), &item.attrs, item.span());
    }
    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.add(&item.ident.to_string(), &item.attrs, item.span());
    }
    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.add(&item.ident.to_string(), &item.attrs, item.span());
    }
    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.add(&item.ident.to_string(), &item.attrs, item.span());
    }
    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.add(&item.ident.to_string(), &item.attrs, item.span());
    }
    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.add(&item.ident.to_string(), &item.attrs, item.span());
        self.within(item.ident.to_string(), |w| visit::visit_item_struct(w, item));
    }
    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.add(&item.ident.to_string(), &item.attrs, item.span());
        self.within(item.ident.to_string(), |w| visit::visit_item_enum(w, item));
    }
    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.add(&item.ident.to_string(), &item.attrs, item.span());
        self.within(item.ident.to_string(), |w| visit::visit_item_trait(w, item));
    }
    fn visit_variant(&mut self, item: &'ast syn::Variant) {
        self.add(&item.ident.to_string(), &item.attrs, item.span());
    }
    fn visit_field(&mut self, item: &'ast syn::Field) {
        if let Some(name) = &item.ident {
            self.add(&name.to_string(), &item.attrs, item.span());
        }
    }
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.add(&item.ident.to_string(), &item.attrs, item.span());
        if item.content.is_some() {
            self.within(item.ident.to_string(), |w| visit::visit_item_mod(w, item));
        }
    }
    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let name = match &*item.self_ty {
            syn::Type::Path(t) => t.path.segments.last().map(|s| s.ident.to_string()),
            _ => None,
        };
        let name = name.unwrap_or_else(|| "_".into());
        self.add(&name, &item.attrs, item.span());
        self.within(name, |w| visit::visit_item_impl(w, item));
    }
}

#[test]
fn items_have_paths_docs_and_lines() {
    let text = "//! File.\n\n/// One.\n/// Two.\nfn a() {}\nimpl B {\n    /// C.\n    fn c(&self) {}\n}\n\
                enum E { /** v */ V }\nmod tests {\n    #[test]\n    fn t() { a(); }\n}\n";
    let found = items("src/x.rs", text);
    let seen: Vec<(&str, &str, usize)> =
        found.iter().map(|i| (i.path.as_str(), i.doc.trim(), i.line)).collect();
    assert_eq!(
        seen,
        [
            ("", "File.", 1),
            ("a", "One.\nTwo.", 3),
            ("B", "", 6),
            ("B::c", "C.", 7),
            ("E", "", 10),
            ("E::V", "v", 10),
            ("tests", "", 11),
            ("tests::t", "", 12)
        ]
    );
    assert!(found.last().is_some_and(|i| i.is_test && i.text.contains("a();")));
}
