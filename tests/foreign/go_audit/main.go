// Command go_audit checks a memcon log on a disk without a line of memcon's own code.
//
// It reads the tree and the note with golang.org/x/mod/sumdb (Debian: golang-golang-x-mod-dev), so
// that an error shared by memcon's writer and verifier shows:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o go_audit main.go
//	./go_audit <log directory> <Ed25519 vkey> [<witness's Ed25519 vkey> ...]
//
// Each witness that is named must have cosigned the checkpoint (C2SP tlog-cosignature, type 04).
// It opens <dir>/checkpoint, reads every entry bundle, computes the tree again, and compares the
// root and every file below <dir>/tile with it, byte for byte. Each entry must be a beat as
// docs/FORMATS.md section 2 has it. One line of JSON tells the result; the exit code is 0 or 1.
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	height   = 8
	width    = 1 << height
	beatSize = 256
)

type summary struct {
	OK      bool   `json:"ok"`
	Size    int64  `json:"size"`
	Root    string `json:"root"`
	Files   int    `json:"files"` // compared
	Ahead   int    `json:"ahead"` // beyond the checkpoint, not compared
	Problem string `json:"problem"`
}

func main() {
	result := summary{}
	if err := run(&result, os.Args[1:]); err != nil {
		result.Problem = err.Error()
	} else {
		result.OK = true
	}
	line, err := json.Marshal(result)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(line))
	if !result.OK {
		os.Exit(1)
	}
}

func run(result *summary, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: go_audit <log directory> <Ed25519 vkey> [<witness's vkey> ...]")
	}
	dir := args[0]
	tree, err := openCheckpoint(filepath.Join(dir, "checkpoint"), args[1], args[2:])
	if err != nil {
		return err
	}
	result.Size, result.Root = tree.N, base64.StdEncoding.EncodeToString(tree.Hash[:])
	entries, err := readEntries(dir, tree.N)
	if err != nil {
		return err
	}
	if err := checkBeats(entries); err != nil {
		return err
	}
	hashes, err := buildTree(entries)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(tree.N, hashes)
	if err != nil {
		return err
	}
	if tree.N == 0 { // x/mod 0.7.0 has a zero hash for no leaves, RFC 6962 has SHA-256 of nothing
		root = emptyRoot
	}
	if root != tree.Hash {
		return fmt.Errorf("the entries have root %v, the checkpoint %v", root, tree.Hash)
	}
	if err := checkPresent(dir, tree.N); err != nil {
		return err
	}
	return checkFiles(dir, tree.N, entries, hashes, result)
}

var emptyRoot = tlog.Hash{
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
}

// cosigner checks the timestamped Ed25519 cosignatures of one witness; it is a note.Verifier.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }

func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	time := binary.BigEndian.Uint64(sig)
	return ed25519.Verify(c.key, []byte(fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, msg)), sig[8:])
}

func newCosigner(vkey string) (note.Verifier, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, fmt.Errorf("witness key %q", vkey)
	}
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != 4 {
		return nil, fmt.Errorf("witness key %q is no Ed25519 cosigner's", vkey)
	}
	return cosigner{parts[0], uint32(hash), key[1:]}, nil
}

// openCheckpoint checks the signatures of the log and of every witness, and reads the text.
func openCheckpoint(path, vkey string, witnesses []string) (tlog.Tree, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return tlog.Tree{}, err
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return tlog.Tree{}, err
	}
	known := []note.Verifier{verifier}
	for _, text := range witnesses {
		witness, err := newCosigner(text)
		if err != nil {
			return tlog.Tree{}, err
		}
		known = append(known, witness)
	}
	opened, err := note.Open(data, note.VerifierList(known...))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	for _, one := range known {
		if !signedBy(opened, one) {
			return tlog.Tree{}, fmt.Errorf("checkpoint: not signed by %s", one.Name())
		}
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %d lines, not 3", len(lines)-1)
	}
	if lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("checkpoint: origin %q, key name %q", lines[0], verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, fmt.Errorf("checkpoint: bad size %q", lines[1])
	}
	hash, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: bad root %q", lines[2])
	}
	return tlog.Tree{N: size, Hash: hash}, nil
}

func signedBy(opened *note.Note, key note.Verifier) bool {
	for _, signature := range opened.Sigs {
		if signature.Name == key.Name() && signature.Hash == key.KeyHash() {
			return true
		}
	}
	return false
}

// tilePath turns x/mod's path of a tile of height 8 into the one of C2SP tlog-tiles.
func tilePath(t tlog.Tile) string {
	path := strings.TrimPrefix(t.Path(), "tile/8/")
	if t.L < 0 {
		path = "entries/" + strings.TrimPrefix(path, "data/")
	}
	return "tile/" + path
}

// levelTiles names the tiles of one level that holds so many hashes, or the entry bundles (level -1).
func levelTiles(level int, count int64) []tlog.Tile {
	var tiles []tlog.Tile
	for n := int64(0); n*width < count; n++ {
		w := count - n*width
		if w > width {
			w = width
		}
		tiles = append(tiles, tlog.Tile{H: height, L: level, N: n, W: int(w)})
	}
	return tiles
}

func readEntries(dir string, size int64) ([][]byte, error) {
	var entries [][]byte
	for _, tile := range levelTiles(-1, size) {
		path := tilePath(tile)
		data, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return nil, err
		}
		for i := 0; i < tile.W; i++ {
			if len(data) < 2 || len(data)-2 < int(binary.BigEndian.Uint16(data)) {
				return nil, fmt.Errorf("%s: ends within entry %d", path, i)
			}
			end := 2 + int(binary.BigEndian.Uint16(data))
			entries = append(entries, data[2:end])
			data = data[end:]
		}
		if len(data) > 0 {
			return nil, fmt.Errorf("%s: %d bytes after the last entry", path, len(data))
		}
	}
	return entries, nil
}

// checkBeats reads each entry by the table of the beat: magic 0, kind 8, state 9, flags 10, period 12,
// index 16, slot 24, reserved 224.
func checkBeats(entries [][]byte) error {
	var slot uint64
	ended := false
	for i, entry := range entries {
		fail := func(problem string) error { return fmt.Errorf("beat %d: %s", i, problem) }
		if len(entry) != beatSize {
			return fail(fmt.Sprintf("%d bytes, not %d", len(entry), beatSize))
		}
		if !bytes.Equal(entry[:8], []byte("memcon\x00\x01")) {
			return fail("no magic")
		}
		kind, state := entry[8], entry[9]
		if ended {
			return fail("after the tombstone")
		}
		if kind > 2 || (kind == 0) != (i == 0) {
			return fail(fmt.Sprintf("kind %d", kind))
		}
		ended = kind == 2
		if state < 1 || state > 4 {
			return fail(fmt.Sprintf("state %d", state))
		}
		if binary.BigEndian.Uint16(entry[10:12])&^7 != 0 {
			return fail("unknown flags")
		}
		period := binary.BigEndian.Uint32(entry[12:16])
		if period == 0 || period != binary.BigEndian.Uint32(entries[0][12:16]) {
			return fail(fmt.Sprintf("period %d ms is not that of the genesis", period))
		}
		if index := binary.BigEndian.Uint64(entry[16:24]); index != uint64(i) {
			return fail(fmt.Sprintf("index %d", index))
		}
		next := binary.BigEndian.Uint64(entry[24:32])
		if i > 0 && next <= slot {
			return fail(fmt.Sprintf("slot %d after slot %d", next, slot))
		}
		slot = next
		if !bytes.Equal(entry[224:], make([]byte, 32)) {
			return fail("reserved bytes are not 0")
		}
	}
	return nil
}

// storedHashes is x/mod's flat order of all complete subtrees.
type storedHashes []tlog.Hash

func (s storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index < 0 || index >= int64(len(s)) {
			return nil, fmt.Errorf("no hash %d", index)
		}
		found[i] = s[index]
	}
	return found, nil
}

func buildTree(entries [][]byte) (storedHashes, error) {
	var hashes storedHashes
	for i, entry := range entries {
		more, err := tlog.StoredHashes(int64(i), entry, hashes)
		if err != nil {
			return nil, err
		}
		hashes = append(hashes, more...)
	}
	return hashes, nil
}

// checkPresent looks for every tile the checkpoint's size calls for.
func checkPresent(dir string, size int64) error {
	tiles := levelTiles(-1, size)
	for level, count := 0, size; count > 0; level, count = level+1, count/width {
		tiles = append(tiles, levelTiles(level, count)...)
	}
	for _, tile := range tiles {
		if _, err := os.Stat(filepath.Join(dir, tilePath(tile))); err != nil {
			return err
		}
	}
	return nil
}

// checkFiles compares every file below tile/, partial tiles of earlier sizes included.
func checkFiles(dir string, size int64, entries [][]byte, hashes storedHashes, result *summary) error {
	err := filepath.WalkDir(filepath.Join(dir, "tile"), func(path string, item fs.DirEntry, err error) error {
		if err != nil || item.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return checkFile(dir, filepath.ToSlash(name), size, entries, hashes, result)
	})
	if size == 0 && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func checkFile(dir, name string, size int64, entries [][]byte, hashes storedHashes, result *summary) error {
	theirs := strings.Replace(strings.Replace(name, "tile/", "tile/8/", 1), "tile/8/entries/", "tile/8/data/", 1)
	tile, err := tlog.ParseTilePath(theirs)
	if err != nil {
		return fmt.Errorf("%s: no tile", name)
	}
	level := tile.L
	if level < 0 {
		level = 0
	}
	if last := tile.N*width + int64(tile.W); level > 7 || last > size>>(height*uint(level)) {
		result.Ahead++
		return nil
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	var want []byte
	if tile.L < 0 {
		for _, entry := range entries[tile.N*width : tile.N*width+int64(tile.W)] {
			want = append(want, byte(len(entry)>>8), byte(len(entry)))
			want = append(want, entry...)
		}
	} else if want, err = tlog.ReadTileData(tile, hashes); err != nil {
		return err
	}
	if !bytes.Equal(data, want) {
		return fmt.Errorf("%s: differs from the tile computed again", name)
	}
	result.Files++
	return nil
}
