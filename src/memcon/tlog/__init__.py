"""The transparency log's formats, one module per C2SP specification; pure, standard library only.

Read in this order: `encoding`, `merkle`, `tiles`, `ed25519`, `mldsa44`, `note`, `checkpoint`,
`cosignature`, `policy`, `proof`. Nothing here signs, fetches, writes or reads a clock.
"""
