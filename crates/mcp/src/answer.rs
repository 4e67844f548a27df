//! The answers that we give ourselves: refusals, and errors where a server gives none.
//!
//! A refused call of a tool is a result of that tool with `isError`, which goes to the model, so that an agent can correct
//! itself. Everything else has no place for words to the model and gets an error of JSON-RPC.

use bytes::Bytes;
use rmcp::model::{
    CallToolResult, ContentBlock, ErrorCode, ErrorData, JsonRpcError, JsonRpcResponse, JsonRpcVersion2_0,
    RequestId,
};
use seawall_checkpoint::Denial;
use seawall_types::{ActionId, Code};
use serde::Serialize;
use serde_json::{Value, json};

/// Where ours stands in the `_meta` of a result and the `data` of an error.
const OURS: &str = "seawall";

/// A server can't be reached, or ended. From the range that JSON-RPC leaves to implementations.
pub(crate) const AWAY: ErrorCode = ErrorCode(-32_001);
/// A policy, a budget or a limit refuses.
pub(crate) const REFUSED: ErrorCode = ErrorCode(-32_003);

/// A refused call of a tool. `is_modern`: in the form of protocol versions that name a result's type.
pub(crate) fn denied_call(id: RequestId, action: ActionId, denial: &Denial, is_modern: bool) -> Bytes {
    let mut result = CallToolResult::error(vec![ContentBlock::text(denial.told_to_model())]);
    if !is_modern {
        result.result_type = None;
    }
    let mut result = serde_json::to_value(&result).unwrap_or_default();
    if let Some(fields) = result.as_object_mut() {
        fields.insert("_meta".to_owned(), json!({ OURS: ours(Some(action), denial) }));
    }
    written(&JsonRpcResponse { jsonrpc: JsonRpcVersion2_0, id, result })
}

/// A refusal of anything else.
pub(crate) fn denied(id: Option<RequestId>, denial: &Denial) -> Bytes {
    let data = json!({ OURS: ours(None, denial) });
    error(id, REFUSED, denial.told_to_model(), Some(data))
}

/// A refusal of a request that was not read: by who let nobody in, or took no more.
#[must_use]
pub fn refusal(denial: &Denial) -> Bytes {
    let code = if denial.code == Code::BadRequest { ErrorCode::PARSE_ERROR } else { REFUSED };
    error(None, code, denial.told_to_model(), Some(json!({ OURS: ours(None, denial) })))
}

/// An error.
pub(crate) fn error(
    id: Option<RequestId>,
    code: ErrorCode,
    message: impl Into<String>,
    data: Option<Value>,
) -> Bytes {
    let message: String = message.into();
    written(&JsonRpcError::new(id, ErrorData::new(code, message, data)))
}

/// What programs read of a refusal.
fn ours(action: Option<ActionId>, denial: &Denial) -> Value {
    let mut told = json!({ "code": denial.code, "message": denial.message, "remedy": denial.remedy });
    if let Some(fields) = told.as_object_mut() {
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        if let Some(action) = action {
            put("action", json!(action));
        }
        if let Some(wait) = denial.retry_after {
            put("retry_after", json!(wait.as_secs().max(1)));
        }
        if let Some(approval) = &denial.approval {
            put("approval", json!({ "id": approval.id, "expires_at": approval.expires_at }));
        }
        if !denial.findings.is_empty() {
            put("findings", json!(denial.findings));
        }
    }
    told
}

/// Our own types always can be written.
fn written(message: &impl Serialize) -> Bytes {
    serde_json::to_vec(message).unwrap_or_default().into()
}

/// The line by which the server is told that nobody waits for a request any more.
pub(crate) fn cancelled(id: &RequestId, reason: &str) -> Bytes {
    let notification = json!({
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": { "requestId": id, "reason": reason },
    });
    notification.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &Bytes) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn a_refused_call_is_a_result_that_tells_the_model_what_to_do() {
        let denial = Denial::new(Code::FsTraversal, "it leads out", "stay inside");
        let action = ActionId::from_parts(1, &[0; 10]);
        let told = read(&denied_call(RequestId::Number(7), action, &denial, false));
        assert_eq!((&told["jsonrpc"], &told["id"]), (&json!("2.0"), &json!(7)));
        assert_eq!(told["result"]["isError"], true);
        assert_eq!(
            told["result"]["content"],
            json!([{"type": "text", "text": "[seawall] denied FS_TRAVERSAL: it leads out. stay inside"}])
        );
        assert_eq!(told["result"]["_meta"]["seawall"]["code"], "FS_TRAVERSAL");
        assert!(told["result"].get("resultType").is_none(), "older clients know no such field");
        let modern = read(&denied_call(RequestId::Number(7), action, &denial, true));
        assert_eq!(modern["result"]["resultType"], "complete");
    }

    #[test]
    fn everything_else_gets_an_error() {
        let denial = Denial::new(Code::NetScheme, "not that one", "take https");
        let told = read(&denied(Some(RequestId::String("a".into())), &denial));
        assert_eq!(
            (&told["id"], &told["error"]["code"], &told["error"]["data"]["seawall"]["code"]),
            (&json!("a"), &json!(-32_003), &json!("NET_SCHEME"))
        );
    }
}
