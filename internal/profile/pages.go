package profile

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// checkThrift walks over the structure that data begin with, in Thrift's compact protocol,
// and gives its length: every list and text must be there to its end, and there may not be
// too many.
func checkThrift(data []byte) (int, error) {
	w := thriftWalk{data: data, items: 1 << 19}
	if w.structure(0); w.bad {
		return 0, errThrift
	}
	return w.at, nil
}

var errThrift = errors.New("a structure is not whole, or too large")

type thriftWalk struct {
	data  []byte
	at    int
	items int // how many items of lists may follow
	bad   bool
}

func (w *thriftWalk) next() byte {
	if w.at >= len(w.data) {
		w.bad = true
		return 0
	}
	w.at++
	return w.data[w.at-1]
}

func (w *thriftWalk) skip(n uint64) {
	if n > uint64(len(w.data)-w.at) {
		w.bad = true
		return
	}
	w.at += int(n)
}

func (w *thriftWalk) varint() uint64 {
	v, n := binary.Uvarint(w.data[w.at:])
	if n <= 0 {
		w.bad = true
		return 0
	}
	w.at += n
	return v
}

func (w *thriftWalk) structure(depth int) {
	for !w.bad {
		head := w.next()
		kind := head & 0xf
		if kind == 0 {
			return
		}
		if head>>4 == 0 {
			w.varint()
		}
		if kind > 2 { // truth values are in the kind
			w.value(kind, depth+1)
		}
	}
}

func (w *thriftWalk) value(kind byte, depth int) {
	if depth > 64 {
		w.bad = true
	}
	if w.bad {
		return
	}
	switch kind {
	case 1, 2, 3:
		w.skip(1)
	case 4, 5, 6:
		w.varint()
	case 7:
		w.skip(8)
	case 8:
		w.skip(w.varint())
	case 9, 10:
		head := w.next()
		n := uint64(head >> 4)
		if n == 15 {
			n = w.varint()
		}
		w.list(n, depth, head&0xf)
	case 11:
		if n := w.varint(); n > 0 {
			head := w.next()
			w.list(n, depth, head>>4, head&0xf)
		}
	case 12:
		w.structure(depth)
	default:
		w.bad = true
	}
}

func (w *thriftWalk) list(n uint64, depth int, kinds ...byte) {
	if n > uint64(w.items) {
		w.bad = true
		return
	}
	w.items -= int(n)
	for ; n > 0 && !w.bad; n-- {
		for _, kind := range kinds {
			w.value(kind, depth+1)
		}
	}
}

var zstdDecoders sync.Pool // of *zstd.Decoder

// decompress gives the size bytes that data hold, in the memory of *spare where there is
// some. A page that holds more or less is an error before more is taken.
func decompress(codec format.CompressionCodec, data []byte, size int, spare *[]byte) ([]byte, error) {
	var out []byte
	if codec != format.Uncompressed {
		if spare != nil && cap(*spare) >= size {
			out = (*spare)[:size]
		} else {
			out = make([]byte, size)
		}
	}
	if size == 0 && len(data) == 0 { // a page of nulls
		return nil, nil
	}
	stream := func(in io.Reader) error {
		if _, err := io.ReadFull(in, out); err != nil {
			return err
		}
		if n, _ := in.Read(make([]byte, 1)); n > 0 {
			return damaged("a page is larger than it claims")
		}
		return nil
	}
	var err error
	switch codec {
	case format.Uncompressed:
		if out = data; len(data) != size {
			err = damaged("a page has %d bytes and claims %d", len(data), size)
		}
	case format.Snappy:
		var n int
		if n, err = snappy.DecodedLen(data); err == nil && n != size {
			err = damaged("a page has %d bytes and claims %d", n, size)
		}
		if err == nil {
			out, err = snappy.Decode(out, data)
		}
	case format.Zstd:
		in, ok := zstdDecoders.Get().(*zstd.Decoder)
		if !ok {
			in, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maximumPage), zstd.WithDecoderLowmem(true))
		}
		if err == nil {
			if err = in.Reset(bytes.NewReader(data)); err == nil {
				err = stream(in)
			}
			zstdDecoders.Put(in)
		}
	case format.Gzip:
		var in *gzip.Reader
		if in, err = gzip.NewReader(bytes.NewReader(data)); err == nil {
			err = stream(in)
		}
	case format.Brotli:
		err = stream(brotli.NewReader(bytes.NewReader(data)))
	case format.Lz4Raw:
		var n int
		if n, err = lz4.UncompressBlock(data, out); err == nil && n != size {
			err = damaged("a page has %d bytes and claims %d", n, size)
		}
	default:
		err = damaged("it is compressed with %s, which is not supported", codec)
	}
	if spare != nil && codec != format.Uncompressed {
		*spare = out
	}
	return out, err
}

// pageValues are the values of a page or a dictionary: bytes of equal width, or texts, or
// the indexes of a dictionary's values.
type pageValues struct {
	n       int
	width   int
	flat    []byte
	texts   [][]byte
	indexes []uint32
	of      *pageValues
	numbers []float64 // of a dictionary, made once
}

func (v *pageValues) at(i int) []byte {
	switch {
	case v.of != nil:
		return v.of.at(int(v.indexes[i]))
	case v.texts != nil:
		return v.texts[i]
	}
	return v.flat[i*v.width : (i+1)*v.width]
}

func (v *pageValues) appendNumbers(out []float64, l *leaf) []float64 {
	switch {
	case v.of != nil:
		if v.of.numbers == nil {
			v.of.numbers = v.of.appendNumbers(make([]float64, 0, v.of.n), l)
		}
		for _, i := range v.indexes {
			out = append(out, v.of.numbers[i])
		}
	case l.physical == format.Double:
		from := len(out)
		out = slices.Grow(out, v.n)[:from+v.n]
		flat := v.flat
		for i := range out[from:] {
			out[from+i] = math.Float64frombits(binary.LittleEndian.Uint64(flat))
			flat = flat[8:]
		}
	default:
		for i := range v.n {
			out = append(out, l.number(v.at(i)))
		}
	}
	return out
}

// values decodes n values.
func (r *chunkReader) values(data []byte, n int, encoding format.Encoding) (pageValues, error) {
	v := pageValues{n: n, width: r.width}
	tooShort := damaged("a page ends too early")
	switch encoding {
	case format.PlainDictionary, format.RLEDictionary: //nolint:staticcheck // old files have it
		if n == 0 {
			return v, nil
		}
		if len(data) == 0 || data[0] > 32 {
			return v, tooShort
		}
		v.of = &r.dictionary
		var err error
		if v.indexes, err = readRuns(r.indexes[:0], data[1:], uint(data[0]), n); err != nil {
			return v, err
		}
		r.indexes = v.indexes
		for _, i := range v.indexes {
			if int(i) >= r.dictionary.n {
				return v, damaged("a page names the value %d of a dictionary of %d", i, r.dictionary.n)
			}
		}
		return v, nil
	case format.Plain:
		switch {
		case r.physical == format.Boolean:
			if len(data) < (n+7)/8 {
				return v, tooShort
			}
			v.flat = make([]byte, n)
			for i := range v.flat {
				v.flat[i] = data[i/8] >> (i % 8) & 1
			}
		case r.width > 0:
			if len(data) < n*r.width {
				return v, tooShort
			}
			v.flat = data[:n*r.width]
		default:
			if len(data) < 4*n {
				return v, tooShort
			}
			v.texts = make([][]byte, n)
			for i := range v.texts {
				if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
					return v, tooShort
				}
				end := 4 + int(binary.LittleEndian.Uint32(data))
				v.texts[i], data = data[4:end:end], data[end:]
			}
		}
		return v, nil
	case format.RLE:
		if r.physical != format.Boolean || len(data) < 4 {
			break
		}
		bits, err := readRuns(nil, data[4:], 1, n)
		v.flat = make([]byte, n)
		for i := range bits {
			v.flat[i] = byte(bits[i])
		}
		return v, err
	case format.DeltaBinaryPacked:
		if r.physical != format.Int32 && r.physical != format.Int64 {
			break
		}
		numbers, _, err := readDeltas(data, n)
		v.flat = make([]byte, 0, n*r.width)
		for _, x := range numbers {
			if r.width == 4 {
				v.flat = binary.LittleEndian.AppendUint32(v.flat, uint32(x))
			} else {
				v.flat = binary.LittleEndian.AppendUint64(v.flat, uint64(x))
			}
		}
		return v, err
	case format.DeltaLengthByteArray:
		if r.physical != format.ByteArray {
			break
		}
		lengths, rest, err := readDeltas(data, n)
		v.texts = make([][]byte, len(lengths))
		for i, length := range lengths {
			if length < 0 || length > int64(len(rest)) {
				return v, tooShort
			}
			v.texts[i], rest = rest[:length:length], rest[length:]
		}
		return v, err
	case format.DeltaByteArray:
		if r.physical != format.ByteArray && r.physical != format.FixedLenByteArray {
			break
		}
		return v, r.prefixed(&v, data)
	case format.ByteStreamSplit:
		if r.width == 0 || r.physical == format.Boolean {
			break
		}
		if len(data) < n*r.width {
			return v, tooShort
		}
		v.flat = make([]byte, n*r.width)
		for b := range r.width {
			for i := range n {
				v.flat[i*r.width+b] = data[b*n+i]
			}
		}
		return v, nil
	}
	return v, damaged("it has the encoding %s, which is not supported for %s", encoding, r.physical)
}

// prefixed decodes texts of which each repeats the beginning of the one before.
func (r *chunkReader) prefixed(v *pageValues, data []byte) error {
	prefixes, rest, err := readDeltas(data, v.n)
	if err != nil {
		return err
	}
	suffixes, rest, err := readDeltas(rest, v.n)
	if err != nil {
		return err
	}
	total := 0
	var previous []byte
	v.texts = make([][]byte, v.n)
	for i := range v.texts {
		p, s := prefixes[i], suffixes[i]
		if p < 0 || s < 0 || p > int64(len(previous)) || s > int64(len(rest)) {
			return damaged("a page ends too early")
		}
		if total += int(p + s); total > maximumPage {
			return damaged("a page has more than %d bytes", maximumPage)
		}
		text := append(append(make([]byte, 0, p+s), previous[:p]...), rest[:s]...)
		if r.width > 0 && len(text) != r.width {
			return damaged("a value has %d bytes instead of %d", len(text), r.width)
		}
		v.texts[i], previous, rest = text, text, rest[s:]
	}
	return nil
}

// allOnes reports whether n numbers of one bit are runs of ones, as where nothing is missing.
func allOnes(data []byte, n int) bool {
	for left := uint64(n); left > 0; {
		head, used := binary.Uvarint(data)
		if used <= 0 || head&1 == 1 || head == 0 || len(data) == used || data[used] != 1 {
			return false
		}
		data = data[used+1:]
		left -= min(left, head>>1)
	}
	return true
}

// readRuns appends n numbers of a width in bits, which are run lengths or packed by eights.
func readRuns(out []uint32, data []byte, width uint, n int) ([]uint32, error) {
	mask := uint64(1)<<width - 1
	for want := len(out) + n; len(out) < want; {
		head, used := binary.Uvarint(data)
		if used <= 0 {
			return out, damaged("a page ends too early")
		}
		data = data[used:]
		count := head >> 1
		if head&1 == 0 { // a run
			bytes := int(width+7) / 8
			if len(data) < bytes || count == 0 {
				return out, damaged("a page ends too early")
			}
			value := uint32(0)
			for i, b := range data[:bytes] {
				value |= uint32(b) << (8 * i)
			}
			data = data[bytes:]
			for range min(count, uint64(want-len(out))) {
				out = append(out, value)
			}
			continue
		}
		if count == 0 {
			return out, damaged("a page ends too early")
		}
		// The last group may be cut short.
		values := int(min(count, uint64(want))) * 8
		values = min(values, want-len(out))
		needed := (values*int(width) + 7) / 8
		if len(data) < needed {
			return out, damaged("a page ends too early")
		}
		var window uint64
		have, at := uint(0), 0
		for range values {
			for have < width {
				window |= uint64(data[at]) << have
				have += 8
				at++
			}
			out = append(out, uint32(window&mask))
			window >>= width
			have -= width
		}
		if whole := count * uint64(width); whole < uint64(len(data)) {
			data = data[whole:]
		} else {
			data = nil
		}
	}
	return out, nil
}

// readDeltas decodes n integers of which each is the one before plus a packed difference,
// and gives what follows them.
func readDeltas(data []byte, n int) (out []int64, rest []byte, err error) {
	short := damaged("a page ends too early")
	uvarint := func() uint64 {
		v, used := binary.Uvarint(data)
		if used <= 0 {
			err = short
			return 0
		}
		data = data[used:]
		return v
	}
	varint := func() int64 {
		u := uvarint()
		return int64(u>>1) ^ -int64(u&1)
	}
	block, minis, total, value := uvarint(), uvarint(), uvarint(), varint()
	if err != nil {
		return nil, nil, err
	}
	if total != uint64(n) || minis == 0 || minis > 1<<10 || block > 1<<20 || block%minis != 0 || block/minis%8 != 0 || block == 0 {
		return nil, nil, damaged("a page of %d values claims %d", n, total)
	}
	per := int(block / minis)
	if n == 0 {
		return nil, data, nil
	}
	out = append(make([]int64, 0, n), value)
	for len(out) < n {
		least := varint()
		if err != nil || uint64(len(data)) < minis {
			return out, nil, short
		}
		widths := data[:minis]
		data = data[minis:]
		for _, width := range widths {
			if len(out) == n {
				break
			}
			size := per / 8 * int(width)
			if width > 64 || len(data) < size {
				return out, nil, short
			}
			for i := range min(per, n-len(out)) {
				value += least + int64(bitsAt(data, uint(i)*uint(width), uint(width)))
				out = append(out, value)
			}
			data = data[size:]
		}
	}
	return out, data, nil
}

// bitsAt is the number of a width of up to 64 bits that begins at a bit.
func bitsAt(data []byte, at, width uint) (v uint64) {
	for got := uint(0); got < width; {
		b := uint64(data[at/8]) >> (at % 8)
		v |= b << got
		step := 8 - at%8
		got += step
		at += step
	}
	if width < 64 {
		v &= 1<<width - 1
	}
	return v
}
