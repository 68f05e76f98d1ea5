"""An index over calls, streams, events and beats: made from the feed, made again from the files."""
