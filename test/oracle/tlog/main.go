// Answers for test/oracle/tlog.test.ts: trees, proofs, tiles and notes by golang.org/x/mod/sumdb.
// It reads one JSON question from standard input and writes one JSON answer.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Entries  [][]byte    // the records, in order
	Places   [][2]int64  // leaf, tree size
	Trees    [][2]int64  // old size, young size
	Included [][][]byte  // our proof for each place
	Consist  [][][]byte  // our proof for each pair of trees
	Note     string      // a note that we signed
	Verifier string      // our key
	Signer   string      // the key file
	Text     string      // what stands in the note
	Tiles    []tileAsked // to be answered with their bytes
}

type tileAsked struct {
	Level, Index int64
	Width        int
}

type answer struct {
	Roots    [][]byte   // of every tree size from 0 on
	Included [][][]byte // proofs for the places
	Consist  [][][]byte // proofs for the trees
	Refused  []string   // what the other side made and this one does not take
	Signed   string     // the text, signed here with the same key
	Tiles    [][]byte
}

type stored []tlog.Hash

func (s *stored) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(*s)) {
			return nil, fmt.Errorf("no hash %d", index)
		}
		hashes[i] = (*s)[index]
	}
	return hashes, nil
}

func main() {
	var q question
	must(json.NewDecoder(os.Stdin).Decode(&q))
	var a answer
	hashes := &stored{}
	tree := func(size int64) tlog.Hash {
		root, err := tlog.TreeHash(size, hashes)
		must(err)
		return root
	}
	a.Roots = append(a.Roots, bytesOf(tree(0)))
	for i, entry := range q.Entries {
		more, err := tlog.StoredHashes(int64(i), entry, hashes)
		must(err)
		*hashes = append(*hashes, more...)
		a.Roots = append(a.Roots, bytesOf(tree(int64(i+1))))
	}
	for i, place := range q.Places {
		leaf, size := place[0], place[1]
		proof, err := tlog.ProveRecord(size, leaf, hashes)
		must(err)
		a.Included = append(a.Included, listOf(proof))
		if err := tlog.CheckRecord(hashesOf(q.Included[i]), size, tree(size), leaf, tlog.RecordHash(q.Entries[leaf])); err != nil {
			a.Refused = append(a.Refused, fmt.Sprintf("leaf %d of %d: %v", leaf, size, err))
		}
	}
	for i, pair := range q.Trees {
		old, young := pair[0], pair[1]
		proof, err := tlog.ProveTree(young, old, hashes)
		must(err)
		a.Consist = append(a.Consist, listOf(proof))
		if err := tlog.CheckTree(hashesOf(q.Consist[i]), young, tree(young), old, tree(old)); err != nil {
			a.Refused = append(a.Refused, fmt.Sprintf("tree %d of %d: %v", old, young, err))
		}
	}
	for _, asked := range q.Tiles {
		data, err := tlog.ReadTileData(tlog.Tile{H: 8, L: int(asked.Level), N: asked.Index, W: asked.Width}, hashes)
		must(err)
		a.Tiles = append(a.Tiles, data)
	}
	verifier, err := note.NewVerifier(q.Verifier)
	must(err)
	opened, err := note.Open([]byte(q.Note), note.VerifierList(verifier))
	must(err)
	if opened.Text != q.Text || len(opened.Sigs) != 1 {
		a.Refused = append(a.Refused, "the note says something else")
	}
	signer, err := note.NewSigner(q.Signer)
	must(err)
	signed, err := note.Sign(&note.Note{Text: q.Text}, signer)
	must(err)
	a.Signed = string(signed)
	must(json.NewEncoder(os.Stdout).Encode(a))
}

func bytesOf(hash tlog.Hash) []byte { return hash[:] }

func listOf(hashes []tlog.Hash) [][]byte {
	list := [][]byte{}
	for _, hash := range hashes {
		list = append(list, bytesOf(hash))
	}
	return list
}

func hashesOf(list [][]byte) []tlog.Hash {
	hashes := []tlog.Hash{}
	for _, bytes := range list {
		var hash tlog.Hash
		copy(hash[:], bytes)
		hashes = append(hashes, hash)
	}
	return hashes
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
