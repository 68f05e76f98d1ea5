"""Sans-IO protocol cores of the recorder: SIP, SDP, SIPREC, RTP and RTCP. Bytes in, events and bytes out."""
