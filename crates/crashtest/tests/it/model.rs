//! The simulated provider in the child's own process, with a witness of every request that it was asked.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use seawall_llm_client::sim::{Sim, SimBody};
use seawall_runtime::{BoxFuture, Model, NoReply, Pieces, Question, Reply};

use crate::witness::{Line, Witness};

#[derive(Debug)]
pub(crate) struct Witnessed {
    pub(crate) sim: Sim,
    pub(crate) witness: Arc<Witness>,
}

#[derive(Debug)]
struct Body(SimBody);

impl Pieces for Body {
    fn next(&mut self) -> BoxFuture<'_, Option<Result<Bytes, NoReply>>> {
        Box::pin(async {
            loop {
                match self.0.frame().await? {
                    Ok(frame) => match frame.into_data() {
                        Ok(data) => return Some(Ok(data)),
                        Err(_trailers) => {}
                    },
                    Err(error) => return Some(Err(NoReply(error.to_string()))),
                }
            }
        })
    }
}

impl Model for Witnessed {
    fn ask(&self, question: Question) -> BoxFuture<'_, Result<Reply, NoReply>> {
        Box::pin(async move {
            self.witness.tell(&Line::Model { body: serde_json::from_slice(&question.body).unwrap() });
            let request = Request::post(format!("http://sim{}", question.path))
                .header("content-type", "application/json");
            let request =
                question.headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
            let response = self.sim.call(request.body(Full::new(question.body)).unwrap()).await;
            let (head, body) = response.into_parts();
            let (status, headers) = (head.status, head.headers);
            Ok(Reply { status, headers, body: Box::new(Body(body)) })
        })
    }
}
