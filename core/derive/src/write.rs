//! `ToJson`: one call for each field.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DataEnum, DeriveInput, Error, Fields, Result};

use crate::attributes::{Container, Member, named};

pub(crate) fn derive(input: &DeriveInput) -> Result<TokenStream> {
    let container = Container::of(input)?;
    let ident = &input.ident;
    let methods = match &input.data {
        _ if container.into.is_some() => {
            let other = &container.into;
            to_json(&quote! {
                let other: #other = ::core::clone::Clone::clone(self).into();
                ::tau_core::json::ToJson::to_json(&other, out)
            })
        }
        Data::Struct(data) => structure(input, &data.fields, &container)?,
        Data::Enum(data) => enumeration(data, &container)?,
        Data::Union(_) => return Err(Error::new_spanned(ident, "a union cannot be written")),
    };
    let (generics, parameters, _) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #generics ::tau_core::json::ToJson for #ident #parameters {
            #methods
        }
    })
}

fn structure(input: &DeriveInput, fields: &Fields, container: &Container) -> Result<TokenStream> {
    if matches!(fields, Fields::Unnamed(fields) if fields.unnamed.len() == 1) {
        return Ok(to_json(&quote!(::tau_core::json::ToJson::to_json(
            &self.0, out
        ))));
    }
    let tag = container.tag.as_ref().map(|tag| {
        let name = container.name(&input.ident);
        quote!(out.tag(#tag, #name);)
    });
    let writes = members(fields, |ident| quote!(&self.#ident))?;
    Ok(quote! {
        fn members(&self, out: &mut ::tau_core::json::Writer) {
            #tag
            #writes
        }
    })
}

/// The calls that write named fields, each found by `of`.
fn members(
    fields: &Fields,
    of: impl Fn(&proc_macro2::Ident) -> TokenStream,
) -> Result<TokenStream> {
    let fields = named(fields)?;
    let writes = fields.iter().map(|(ident, name, member)| {
        let field = of(ident);
        let write = match member.flatten {
            true => quote!(::tau_core::json::ToJson::members(#field, out);),
            false => quote!(out.field(#name, #field);),
        };
        match &member.skip_if {
            None => write,
            Some(skip) => quote!(if !#skip(#field) { #write }),
        }
    });
    Ok(quote!(#(#writes)*))
}

fn to_json(body: &TokenStream) -> TokenStream {
    quote! {
        fn to_json(&self, out: &mut ::tau_core::json::Writer) {
            #body
        }
    }
}

fn enumeration(data: &DataEnum, container: &Container) -> Result<TokenStream> {
    if let Some(tag) = &container.tag {
        return tagged(data, container, tag);
    }
    let mut arms = Vec::new();
    for variant in &data.variants {
        let ident = &variant.ident;
        let name = container.variant(ident, &Member::of(&variant.attrs)?);
        arms.push(match &variant.fields {
            Fields::Unit => quote!(Self::#ident => out.text(#name)),
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                quote!(Self::#ident(inner) => out.keyed(#name, inner))
            }
            fields => {
                let idents = named(fields)?;
                let idents = idents.iter().map(|(ident, ..)| ident);
                let bindings = idents.map(|ident| {
                    let bound = format_ident!("of_{ident}");
                    quote!(#ident: #bound)
                });
                let writes = members(fields, |ident| {
                    let bound = format_ident!("of_{ident}");
                    quote!(#bound)
                })?;
                quote!(Self::#ident { #(#bindings),* } => {
                    out.open_keyed(#name);
                    #writes
                    out.close_keyed();
                })
            }
        });
    }
    Ok(to_json(&quote!(match self { #(#arms),* })))
}

fn tagged(data: &DataEnum, container: &Container, tag: &str) -> Result<TokenStream> {
    let mut arms = Vec::new();
    for variant in &data.variants {
        let ident = &variant.ident;
        let name = container.variant(ident, &Member::of(&variant.attrs)?);
        arms.push(match &variant.fields {
            Fields::Unit => quote!(Self::#ident => out.tag(#tag, #name)),
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                quote!(Self::#ident(inner) => {
                    out.tag(#tag, #name);
                    ::tau_core::json::ToJson::members(inner, out);
                })
            }
            fields => {
                let idents = named(fields)?;
                let bindings = idents.iter().map(|(ident, ..)| {
                    let bound = format_ident!("of_{ident}");
                    quote!(#ident: #bound)
                });
                let bindings = quote!(#(#bindings),*);
                let writes = members(fields, |ident| {
                    let bound = format_ident!("of_{ident}");
                    quote!(#bound)
                })?;
                quote!(Self::#ident { #bindings } => {
                    out.tag(#tag, #name);
                    #writes
                })
            }
        });
    }
    Ok(quote! {
        fn members(&self, out: &mut ::tau_core::json::Writer) {
            match self { #(#arms),* }
        }
    })
}
