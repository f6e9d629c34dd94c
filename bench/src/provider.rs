//! A payment provider that answers at once and remembers nothing: it stands for one on other machines, so that its
//! work is not counted as the shop's.

use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::wire::Wire;

/// Starts it; its base URL.
pub(crate) async fn start() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A connection that breaks is the caller's to notice.
            tokio::spawn(async move { serve(stream).await.ok() });
        }
    });
    Ok(url)
}

async fn serve(stream: TcpStream) -> anyhow::Result<()> {
    let mut wire = Wire::new(stream)?;
    while let Some(request) = wire.receive().await? {
        let (status, body) = if request.first_line.contains("/accesstoken/get") {
            (
                "200 OK",
                json!({"access_token": "token", "expires_in": "86400", "token_type": "Bearer"}),
            )
        } else {
            let asked: Value = serde_json::from_slice(&request.body)?;
            let reference = &asked["reference"];
            (
                "201 Created",
                json!({"reference": reference, "redirectUrl": "https://pay.example/1"}),
            )
        };
        let body = body.to_string();
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        wire.send(answer.as_bytes()).await?;
    }
    Ok(())
}
