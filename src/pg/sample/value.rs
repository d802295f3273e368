//! Values in plans: constants and parameters, as text.
#![allow(unsafe_code)]

use foreshard_core::health::LONGEST;
use pgrx::PgList;
use pgrx::pg_sys::{self, NodeTag};

/// Elements of a list of which one is picked, at most.
const MOST_ELEMENTS: usize = 10_000;

/// What stands where a value is expected.
pub enum Operand {
    Datum(pg_sys::Datum, pg_sys::Oid),
    /// A sequence's next number, or the time.
    Next,
}

/// # Safety
/// `node` is an expression of a plan that has run with the parameters.
pub unsafe fn operand(node: *mut pg_sys::Node, params: pg_sys::ParamListInfo) -> Option<Operand> {
    // SAFETY: passed on from the caller.
    let node = unsafe { bare(node) };
    // SAFETY: the tag says what the node is.
    unsafe {
        match (*node).type_ {
            NodeTag::T_Const => {
                let value = node.cast::<pg_sys::Const>();
                (!(*value).constisnull).then(|| Operand::Datum((*value).constvalue, (*value).consttype))
            }
            NodeTag::T_Param => param(node.cast(), params),
            NodeTag::T_NextValueExpr | NodeTag::T_SQLValueFunction => Some(Operand::Next),
            NodeTag::T_FuncExpr => {
                let grows = [pg_sys::F_NEXTVAL, pg_sys::F_NOW, pg_sys::F_CLOCK_TIMESTAMP];
                grows.contains(&(*node.cast::<pg_sys::FuncExpr>()).funcid.to_u32()).then_some(Operand::Next)
            }
            _ => None,
        }
    }
}

/// Without the casts around it, under which it is the same text.
///
/// # Safety
/// `node` is an expression of a plan.
pub unsafe fn bare(mut node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: the tag says what the node is.
    unsafe {
        loop {
            node = match (*node).type_ {
                NodeTag::T_RelabelType => (*node.cast::<pg_sys::RelabelType>()).arg.cast(),
                NodeTag::T_FuncExpr => {
                    let call = node.cast::<pg_sys::FuncExpr>();
                    let arguments = PgList::<pg_sys::Node>::from_pg((*call).args);
                    let cast = (*call).funcformat == pg_sys::CoercionForm::COERCE_IMPLICIT_CAST;
                    match arguments.get_ptr(0) {
                        Some(argument) if cast => argument,
                        _ => return node,
                    }
                }
                _ => return node,
            }
        }
    }
}

/// # Safety
/// As for [`operand`].
unsafe fn param(param: *mut pg_sys::Param, params: pg_sys::ParamListInfo) -> Option<Operand> {
    // SAFETY: the list has as many entries as it says; a hook fills the one that is given to it, and with `speculative` raises no error.
    unsafe {
        let number = (*param).paramid;
        if (*param).paramkind != pg_sys::ParamKind::PARAM_EXTERN
            || params.is_null()
            || number < 1
            || number > (*params).numParams
        {
            return None;
        }
        let value = match (*params).paramFetch {
            None => (*params).params.as_ptr().add(usize::try_from(number).ok()? - 1).read(),
            Some(fetch) => {
                let mut own: pg_sys::ParamExternData = std::mem::zeroed();
                let own = &raw mut own;
                let given = pg_sys::ffi::pg_guard_ffi_boundary(|| fetch(params, number, true, own));
                given.as_ref().copied()?
            }
        };
        (!value.isnull && value.ptype == (*param).paramtype).then_some(Operand::Datum(value.value, value.ptype))
    }
}

/// Any one element of an array: of a constant or a parameter, or of expressions.
///
/// # Safety
/// As for [`operand`].
pub unsafe fn element(node: *mut pg_sys::Node, params: pg_sys::ParamListInfo, random: u64) -> Option<Operand> {
    // SAFETY: passed on from the caller.
    let node = unsafe { bare(node) };
    // SAFETY: the tag says what the node is, and the catalog what the array has.
    unsafe {
        if (*node).type_ == NodeTag::T_ArrayExpr {
            let elements = PgList::<pg_sys::Node>::from_pg((*node.cast::<pg_sys::ArrayExpr>()).elements);
            return operand(elements.get_ptr(pick(random, elements.len())?)?, params);
        }
        let Some(Operand::Datum(array, of)) = operand(node, params) else { return None };
        let of = pg_sys::get_element_type(of);
        if of == pg_sys::InvalidOid {
            return None;
        }
        let (mut len, mut by_value, mut align) = (0, false, 0);
        pg_sys::get_typlenbyvalalign(of, &raw mut len, &raw mut by_value, &raw mut align);
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        let array = pg_sys::pg_detoast_datum(array.cast_mut_ptr()).cast();
        pg_sys::deconstruct_array(
            array,
            of,
            len.into(),
            by_value,
            align,
            &raw mut values,
            &raw mut nulls,
            &raw mut count,
        );
        let at = pick(random, usize::try_from(count).ok()?)?;
        (!*nulls.add(at)).then(|| Operand::Datum(*values.add(at), of))
    }
}

fn pick(random: u64, of: usize) -> Option<usize> {
    (1..=MOST_ELEMENTS).contains(&of).then(|| (random % of as u64) as usize)
}

/// A value as the server writes it, of types whose text depends on no setting; None for others, and for what is too long to be kept.
pub fn text(value: pg_sys::Datum, of: pg_sys::Oid) -> Option<String> {
    // SAFETY: the value is of the type; output functions of the server's own types do no more than write it.
    unsafe {
        if !is_plain(of) {
            return None;
        }
        let (mut output, mut varlena) = (pg_sys::InvalidOid, false);
        pg_sys::getTypeOutputInfo(of, &raw mut output, &raw mut varlena);
        // What is long enough to be compressed or elsewhere is too long for us.
        if varlena
            && (pgrx::varatt_is_1b_e(value.cast_mut_ptr()) || pgrx::varsize_any(value.cast_mut_ptr()) > 2 * LONGEST)
        {
            return None;
        }
        let written = pg_sys::OidOutputFunctionCall(output, value);
        let text = std::ffi::CStr::from_ptr(written).to_str().ok().map(str::to_owned);
        pg_sys::pfree(written.cast());
        text.filter(|t| t.len() <= LONGEST)
    }
}

/// # Safety
/// In a transaction: the catalog is asked.
unsafe fn is_plain(of: pg_sys::Oid) -> bool {
    const PLAIN: [pg_sys::Oid; 15] = [
        pg_sys::INT2OID,
        pg_sys::INT4OID,
        pg_sys::INT8OID,
        pg_sys::OIDOID,
        pg_sys::BOOLOID,
        pg_sys::TEXTOID,
        pg_sys::VARCHAROID,
        pg_sys::BPCHAROID,
        pg_sys::NAMEOID,
        pg_sys::CHAROID,
        pg_sys::UUIDOID,
        pg_sys::NUMERICOID,
        pg_sys::INETOID,
        pg_sys::CIDROID,
        pg_sys::MACADDROID,
    ];
    // SAFETY: reads a setting; asks the catalog.
    unsafe {
        let dated = [pg_sys::DATEOID, pg_sys::TIMESTAMPOID].contains(&of);
        PLAIN.contains(&of)
            || (dated && pg_sys::DateStyle == pg_sys::USE_ISO_DATES as std::ffi::c_int)
            || pg_sys::get_typtype(of) == pg_sys::TYPTYPE_ENUM as std::ffi::c_char
    }
}
