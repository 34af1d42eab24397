//! Those of serde's attributes that are obeyed.

use syn::{
    Attribute, DeriveInput, Error, Fields, Ident, LitStr, Path, Result, Type,
    meta::ParseNestedMeta, parse::Parse,
};

/// What is said of a type.
#[derive(Default)]
pub(crate) struct Container {
    /// The field that names the variant.
    pub(crate) tag: Option<String>,
    pub(crate) snake_case: bool,
    /// Missing fields are those of `Default::default()`.
    pub(crate) default: bool,
    pub(crate) deny_unknown_fields: bool,
    pub(crate) transparent: bool,
    /// It is read as this type and converted.
    pub(crate) try_from: Option<Type>,
    /// It is converted to this type and written.
    pub(crate) into: Option<Type>,
    rename: Option<String>,
}

/// What is said of a variant or a field.
#[derive(Default)]
pub(crate) struct Member {
    rename: Option<String>,
    pub(crate) default: bool,
    pub(crate) flatten: bool,
    pub(crate) skip_if: Option<Path>,
}

impl Container {
    pub(crate) fn of(input: &DeriveInput) -> Result<Self> {
        if input.generics.type_params().next().is_some() {
            let why = "a type with parameters is read and written by hand";
            return Err(Error::new_spanned(&input.generics, why));
        }
        let mut found = Self::default();
        each(&input.attrs, |meta| {
            if meta.path.is_ident("tag") {
                found.tag = Some(text(meta)?);
            } else if meta.path.is_ident("rename") {
                found.rename = Some(text(meta)?);
            } else if meta.path.is_ident("rename_all") {
                let how: LitStr = meta.value()?.parse()?;
                if how.value() != "snake_case" {
                    return Err(Error::new_spanned(how, "only snake_case is known here"));
                }
                found.snake_case = true;
            } else if meta.path.is_ident("default") {
                found.default = plain(meta)?;
            } else if meta.path.is_ident("deny_unknown_fields") {
                found.deny_unknown_fields = plain(meta)?;
            } else if meta.path.is_ident("try_from") {
                found.try_from = Some(parsed(meta)?);
            } else if meta.path.is_ident("into") {
                found.into = Some(parsed(meta)?);
            } else if meta.path.is_ident("transparent") {
                found.transparent = plain(meta)?;
            } else {
                return Err(unknown(meta));
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// The type's own name.
    pub(crate) fn name(&self, ident: &Ident) -> String {
        self.rename.clone().unwrap_or_else(|| ident.to_string())
    }

    /// A variant's name.
    pub(crate) fn variant(&self, ident: &Ident, member: &Member) -> String {
        let name = ident.to_string();
        match &member.rename {
            Some(name) => name.clone(),
            None if self.snake_case => snake_case(&name),
            None => name,
        }
    }
}

impl Member {
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut found = Self::default();
        each(attributes, |meta| {
            if meta.path.is_ident("rename") {
                found.rename = Some(text(meta)?);
            } else if meta.path.is_ident("default") {
                found.default = plain(meta)?;
            } else if meta.path.is_ident("flatten") {
                found.flatten = plain(meta)?;
            } else if meta.path.is_ident("skip_serializing_if") {
                found.skip_if = Some(parsed(meta)?);
            } else {
                return Err(unknown(meta));
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// A field's name.
    pub(crate) fn field(&self, ident: &Ident) -> String {
        let name = ident.to_string();
        let name = name.trim_start_matches("r#").to_owned();
        self.rename.clone().unwrap_or(name)
    }
}

/// Named fields with what is said of them.
pub(crate) fn named(fields: &Fields) -> Result<Vec<(&Ident, String, Member)>> {
    let mut found = Vec::new();
    for field in fields {
        let Some(ident) = &field.ident else {
            let why = "fields without names are known only as one inside a variant";
            return Err(Error::new_spanned(field, why));
        };
        let member = Member::of(&field.attrs)?;
        found.push((ident, member.field(ident), member));
    }
    Ok(found)
}

fn each(
    attributes: &[Attribute],
    mut take: impl FnMut(&ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    let serde = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("serde"));
    for attribute in serde {
        attribute.parse_nested_meta(|meta| take(&meta))?;
    }
    Ok(())
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}

/// A value that is code in a string.
fn parsed<T: Parse>(meta: &ParseNestedMeta<'_>) -> Result<T> {
    meta.value()?.parse::<LitStr>()?.parse()
}

/// An attribute without a value.
fn plain(meta: &ParseNestedMeta<'_>) -> Result<bool> {
    match meta.input.peek(syn::Token![=]) {
        true => Err(meta.error("a value is not known here")),
        false => Ok(true),
    }
}

fn unknown(meta: &ParseNestedMeta<'_>) -> Error {
    meta.error("this attribute of serde's is not known to FromJson and ToJson")
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for (place, c) in name.char_indices() {
        if c.is_uppercase() && place > 0 {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
