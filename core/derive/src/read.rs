//! `FromJson`: a table of names and one call for each field.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Data, DataEnum, DeriveInput, Error, Fields, Ident, Result, Variant};

use crate::attributes::{Container, Member, named};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let container = Container::of(input)?;
    let ident = &input.ident;
    if input.generics.lifetimes().next().is_some() {
        return Err(Error::new_spanned(&input.generics, "what is read is owned"));
    }
    if let Some(other) = &container.try_from {
        return Ok(implement(
            ident,
            &quote! {
                let other: #other = ::tau_core::json::FromJson::from_json(value)?;
                Self::try_from(other).map_err(|error| ::tau_core::json::Error::custom(&error))
            },
        ));
    }
    let body = match &input.data {
        Data::Struct(data) if container.transparent || is_newtype(&data.fields) => {
            quote!(::core::result::Result::Ok(Self(
                ::tau_core::json::FromJson::from_json(value)?
            )))
        }
        Data::Struct(data) => {
            let read = structure(&quote!(Self), &data.fields, &container)?;
            quote!(::core::result::Result::Ok({ #read }))
        }
        Data::Enum(data) => enumeration(data, &container)?,
        Data::Union(_) => return Err(Error::new_spanned(ident, "a union cannot be read")),
    };
    Ok(implement(ident, &body))
}

fn implement(ident: &Ident, body: &TokenStream) -> TokenStream {
    quote! {
        #[automatically_derived]
        impl ::tau_core::json::FromJson for #ident {
            fn from_json(
                value: &mut ::tau_core::json::Value,
            ) -> ::core::result::Result<Self, ::tau_core::json::Error> {
                #body
            }
        }
    }
}

fn is_newtype(fields: &Fields) -> bool {
    matches!(fields, Fields::Unnamed(fields) if fields.unnamed.len() == 1)
}

/// The value of a struct or a struct variant.
fn structure(path: &TokenStream, fields: &Fields, container: &Container) -> Result<TokenStream> {
    let fields = named(fields)?;
    let names = fields.iter().map(|(_, name, _)| name);
    let known = match container.deny_unknown_fields {
        true => quote!(::core::option::Option::Some(&[#(#names),*])),
        false => quote!(::core::option::Option::None),
    };
    let reads = fields.iter().map(|(ident, name, member)| {
        if member.flatten {
            return Err(Error::new_spanned(
                ident,
                "flattened fields are read by hand",
            ));
        }
        Ok(match (member.default, container.default) {
            (true, _) => quote!(#ident: ::tau_core::json::field_or_default(object, #name)?),
            (false, true) => {
                quote!(#ident: ::tau_core::json::field_or(object, #name, default.#ident)?)
            }
            (false, false) => quote!(#ident: ::tau_core::json::field(object, #name)?),
        })
    });
    let reads = reads.collect::<Result<Vec<_>>>()?;
    let default = container
        .default
        .then(|| quote!(let default = <Self as ::core::default::Default>::default();));
    Ok(quote! {
        let object = ::tau_core::json::object(value, #known)?;
        #default
        #path { #(#reads),* }
    })
}

fn enumeration(data: &DataEnum, container: &Container) -> Result<TokenStream> {
    let mut names = Vec::new();
    for variant in &data.variants {
        names.push(container.variant(&variant.ident, &Member::of(&variant.attrs)?));
    }
    let names = quote!(&[#(#names),*]);
    let is_plain = data
        .variants
        .iter()
        .all(|variant| variant.fields.is_empty());
    let choose = match &container.tag {
        Some(tag) => quote!(let index = ::tau_core::json::tagged(value, #tag, #names)?;),
        None if is_plain => quote!(let index = ::tau_core::json::named(value, #names)?;),
        None => quote!(let (index, value) = ::tau_core::json::keyed(value, #names)?;),
    };
    // The last arm takes what cannot come, too: an index that is none would be a panic.
    let last = data.variants.len().saturating_sub(1);
    let arms = data.variants.iter().enumerate().map(|(index, variant)| {
        let arm = self::variant(variant, container)?;
        Ok(match index == last {
            true => quote!(_ => #arm),
            false => quote!(#index => #arm),
        })
    });
    let arms = arms.collect::<Result<Vec<_>>>()?;
    Ok(quote! {
        #choose
        ::core::result::Result::Ok(match index { #(#arms),* })
    })
}

fn variant(variant: &Variant, container: &Container) -> Result<TokenStream> {
    let ident: &Ident = &variant.ident;
    match &variant.fields {
        Fields::Unit => Ok(quote!(Self::#ident)),
        fields if is_newtype(fields) => {
            Ok(quote!(Self::#ident(::tau_core::json::FromJson::from_json(value)?)))
        }
        fields => {
            if container.deny_unknown_fields {
                let why = "a variant's unknown fields are not refused";
                return Err(Error::new_spanned(ident, why));
            }
            let read = structure(&quote!(Self::#ident), fields, container)?;
            Ok(quote!({ #read }))
        }
    }
}
