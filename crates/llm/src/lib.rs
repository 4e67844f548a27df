//! Wire formats of model providers: bytes in, facts out. SSE, usage, prices, token bounds. Pure.
