package tests

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// long reports whether the long forms of the tests are wanted: make soak.
func long() bool { return os.Getenv("HEARTH_TEST_LONG") != "" }

// hurtful are names that stores on a file system tend to get wrong.
func hurtful(prefix string) []string {
	names := []string{
		"a", "A", "a/b", "a/B", "a//b", "a/b/c", "a/", "a//", "x/../y", "../y", "./y", "x", "x/y", "y", "/", "b", "b.txt", "b/",
		"ü", "u\u0308", "日本/語", "🙂", "%2F", "a%2Fb", "+", "a b", "#", "?", "&=", "'\"", "*", "[x]", "\\", "~", ".hidden", ".tmp/x", "index.db",
	}
	for i := range names {
		names[i] = prefix + names[i]
	}
	return append(names, prefix+strings.Repeat("n", 1024-len(prefix)), prefix+strings.Repeat("long/", (1024-len(prefix))/5), prefix+strings.Repeat("p", 300)+"/x")
}

// modelled is what the model knows of one object.
type modelled struct {
	content                    string
	contentType                string
	metadata                   map[string]string
	composed                   bool
	generation, metageneration int64
}

// apiModel is what one client believes of the names below its own prefix: a
// map, held against every answer of the API.
type apiModel struct {
	t       *testing.T
	api     *bucketAPI
	rnd     *rand.Rand
	prefix  string
	names   []string
	objects map[string]*modelled
	// newest has the highest generation that was seen of a name.
	newest map[string]int64
	failed bool
}

// Random operations of several clients over HTTP, each answer held against a
// model in memory.
func TestBucket_ModelOfTheAPI(t *testing.T) {
	onBackends(t, func(t *testing.T, b *backend) {
		d := newDaemonOn(t, b)
		d.must("storage", "buckets", "create", "gs://model")
		operations := map[string]int{"local": 2000, "minio": 500}[b.name]
		if long() {
			operations = 10_000
		}
		const clients, rounds = 8, 5
		seed := uint64(8)
		if s, err := strconv.ParseUint(os.Getenv("HEARTH_TEST_SEED"), 10, 64); err == nil {
			seed = s
		}
		t.Logf("%d operations, HEARTH_TEST_SEED=%d", operations, seed)
		models := make([]*apiModel, clients)
		for i := range models {
			prefix := fmt.Sprintf("client%d/", i)
			models[i] = &apiModel{
				t: t, api: d.bucketAPI("model"), rnd: rand.New(rand.NewPCG(seed, uint64(i))), prefix: prefix,
				names: hurtful(prefix), objects: map[string]*modelled{}, newest: map[string]int64{},
			}
		}
		for round := range rounds {
			var wg sync.WaitGroup
			for _, m := range models {
				wg.Go(func() {
					for i := 0; i < operations/clients/rounds && !m.failed; i++ {
						m.step()
					}
				})
			}
			wg.Wait()
			checkUnion(t, d.bucketAPI("model"), models, []string{"", "7", "100"}[round%3])
		}
		d.kill()
		d.restart()
		checkUnion(t, d.bucketAPI("model"), models, "")
		for _, m := range models {
			m.api = d.bucketAPI("model")
			for name := range m.objects {
				m.get(name, false)
			}
		}
	})
}

// checkUnion lists everything while nobody writes.
func checkUnion(t *testing.T, api *bucketAPI, models []*apiModel, pageSize string) {
	t.Helper()
	all := map[string]*modelled{}
	for _, m := range models {
		if m.failed {
			t.FailNow()
		}
		maps.Copy(all, m.objects)
	}
	items, _, err := api.list(with(nil, "maxResults", pageSize))
	check(t, err)
	if d := differs(all, items); d != "" {
		t.Fatalf("the list of everything: %s", d)
	}
}

// differs says what is wrong with a list of all objects in want.
func differs(want map[string]*modelled, items []*resource) string {
	names := slices.Sorted(maps.Keys(want))
	var got []string
	for _, r := range items {
		got = append(got, r.Name)
	}
	if !slices.Equal(got, names) {
		return fmt.Sprintf("got  %q\nwant %q", got, names)
	}
	for _, r := range items {
		if d := want[r.Name].differs(r); d != "" {
			return fmt.Sprintf("%q: %s", r.Name, d)
		}
	}
	return ""
}

// differs compares an object with what the API says of it.
func (o *modelled) differs(r *resource) string {
	sum := md5.Sum([]byte(o.content))
	hash := base64.StdEncoding.EncodeToString(sum[:])
	if o.composed {
		hash = ""
	}
	want := resource{r.Name, o.generation, o.metageneration, int64(len(o.content)), o.contentType, hash, crc32c(o.content), o.metadata}
	if len(want.Metadata) == 0 && len(r.Metadata) == 0 {
		want.Metadata = r.Metadata
	}
	if got, want := fmt.Sprintf("%+v", *r), fmt.Sprintf("%+v", want); got != want {
		return fmt.Sprintf("got\n%s, want\n%s", got, want)
	}
	return ""
}

func crc32c(content string) string {
	sum := crc32.Checksum([]byte(content), crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}

func (m *apiModel) step() {
	name := m.names[m.rnd.IntN(len(m.names))]
	if m.rnd.IntN(3) > 0 { // a few names are used much, so that there is something to change
		name = m.names[m.rnd.IntN(8)]
	}
	switch n := m.rnd.IntN(100); {
	case n < 15:
		m.put(name)
	case n < 25:
		m.multipart(name)
	case n < 35:
		m.resumable(name)
	case n < 47:
		m.get(name, true)
	case n < 55:
		m.stat(name)
	case n < 65:
		m.list()
	case n < 73:
		m.patch(name)
	case n < 81:
		m.copy(name)
	case n < 87:
		m.compose(name)
	case n < 92:
		m.move(name)
	default:
		m.delete(name)
	}
}

// fail ends this client's part: after a first difference all would differ.
func (m *apiModel) fail(format string, args ...any) {
	m.failed = true
	m.t.Errorf(m.prefix+" "+format, args...)
}

// conditions draws preconditions on an object, nil if it does not exist, and
// says whether they hold. Most calls have none.
func (m *apiModel) conditions(infix string, o *modelled) (q url.Values, hold bool) {
	q, hold = url.Values{}, true
	var generation, metageneration int64
	if o != nil {
		generation, metageneration = o.generation, o.metageneration
	}
	for _, c := range []struct {
		name string
		have int64
		same bool
	}{
		{"GenerationMatch", generation, true}, {"GenerationNotMatch", generation, false},
		{"MetagenerationMatch", metageneration, true}, {"MetagenerationNotMatch", metageneration, false},
	} {
		if m.rnd.IntN(8) > 0 {
			continue
		}
		value := c.have
		if m.rnd.IntN(2) == 0 {
			value = int64(m.rnd.IntN(3))
		}
		q.Set("if"+infix+c.name, strconv.FormatInt(value, 10))
		hold = hold && (value == c.have) == c.same
	}
	return q, hold
}

func (m *apiModel) content(most int) string {
	b := make([]byte, m.rnd.IntN(most+1))
	for i := range b {
		b[i] = byte(m.rnd.Uint32())
	}
	return string(b)
}

// wrote takes the answer to a write that should have made o, or been refused
// because its conditions do not hold.
func (m *apiModel) wrote(what, name string, o *modelled, hold bool, a *answer, err error) {
	want := http.StatusOK
	if !hold {
		want = http.StatusPreconditionFailed
	}
	if err != nil || a.status != want {
		m.fail("%s %q: %v, %v; want %d", what, name, a, err, want)
		return
	}
	if !hold {
		return
	}
	r, err := a.resource()
	if err != nil {
		m.fail("%s %q: %v", what, name, err)
		return
	}
	if r.Generation <= m.newest[name] {
		m.fail("%s %q: generation %d after %d", what, name, r.Generation, m.newest[name])
	}
	o.generation, o.metageneration = r.Generation, 1
	m.objects[name], m.newest[name] = o, r.Generation
	if d := o.differs(r); d != "" || r.Name != name {
		m.fail("%s %q: %s", what, name, d)
	}
}

func (m *apiModel) put(name string) {
	o := &modelled{content: m.content(5000), contentType: "x/media"}
	q, hold := m.conditions("", m.objects[name])
	a, err := m.api.put(name, q, []byte(o.content), o.contentType)
	m.wrote("put "+q.Encode(), name, o, hold, a, err)
}

func (m *apiModel) multipart(name string) {
	o := &modelled{content: m.content(5000), contentType: "x/multipart", metadata: map[string]string{"Client": m.prefix, "ü": "ö"}}
	q, hold := m.conditions("", m.objects[name])
	a, err := m.api.multipart(q, map[string]any{"name": name, "metadata": o.metadata, "crc32c": crc32c(o.content)}, []byte(o.content))
	m.wrote("multipart "+q.Encode(), name, o, hold, a, err)
}

// resumable uploads in pieces of 256 KiB, asks now and then how far it is, and
// sometimes gives up.
func (m *apiModel) resumable(name string) {
	o := &modelled{content: m.content(600 << 10), contentType: "x/resumable"}
	q, hold := m.conditions("", m.objects[name])
	a, err := m.api.begin(name, q, o.contentType)
	if err != nil || !hold || a.status != http.StatusOK {
		if err != nil || hold || a.status != http.StatusPreconditionFailed {
			m.fail("begin %q: %v, %v; conditions hold: %v", name, a, err, hold)
		}
		return
	}
	session, content := a.header.Get("Location"), []byte(o.content)
	for from := 0; ; {
		to := min(from+256<<10, len(content))
		if m.rnd.IntN(4) == 0 {
			a, err := m.api.do("PUT", session, nil, nil, "Content-Range", fmt.Sprintf("bytes */%d", len(content)+1))
			if err != nil || a.status != http.StatusPermanentRedirect || a.held() != from {
				m.fail("ask about the upload of %q: %v, %v, %d bytes; want %d", name, a, err, a.held(), from)
				return
			}
		}
		if m.rnd.IntN(10) == 0 {
			if a, err := m.api.do("DELETE", session, nil, nil); err != nil || a.status != 499 {
				m.fail("give up the upload of %q: %v, %v", name, a, err)
			}
			return
		}
		a, err := m.api.piece(session, content, from, to)
		if err != nil || a.status != http.StatusPermanentRedirect {
			m.wrote("resumable "+q.Encode(), name, o, true, a, err)
			return
		}
		if from = a.held(); from != to {
			m.fail("a piece of %q: %d bytes are held, want %d", name, from, to)
			return
		}
	}
}

// refused takes the answer to a call on an object that does not exist, or whose
// conditions do not hold.
func (m *apiModel) refused(what, name string, exists bool, a *answer, err error) {
	switch {
	case err != nil:
	case !exists && a.status == http.StatusNotFound:
		return
	case a.status == http.StatusPreconditionFailed, a.status == http.StatusNotModified:
		return
	}
	m.fail("%s %q, exists: %v: %v, %v; want a refusal", what, name, exists, a, err)
}

func (m *apiModel) get(name string, conditional bool) {
	o := m.objects[name]
	q, hold := url.Values{}, true
	if conditional {
		q, hold = m.conditions("", o)
	}
	var headers []string
	want, status := "", http.StatusOK
	if o != nil {
		want = o.content
		if first := m.rnd.IntN(len(want) + 10); conditional && m.rnd.IntN(2) == 0 {
			last := first + m.rnd.IntN(1000)
			headers = []string{"Range", fmt.Sprintf("bytes=%d-%d", first, last)}
			status = http.StatusPartialContent
			if first >= len(want) {
				status = http.StatusRequestedRangeNotSatisfiable
			} else {
				want = want[first:min(last+1, len(want))]
			}
		}
	}
	a, err := m.api.do("GET", m.api.object(name), with(q, "alt", "media"), nil, headers...)
	if o == nil || !hold {
		m.refused("get "+q.Encode(), name, o != nil, a, err)
		return
	}
	if err != nil || a.status != status || status != http.StatusRequestedRangeNotSatisfiable && string(a.body) != want {
		m.fail("get %q %q: %d with %d bytes, %v; want %d with %d bytes", name, headers, a.status, len(a.body), err, status, len(want))
		return
	}
	if g := a.header.Get("X-Goog-Generation"); status < 300 && g != strconv.FormatInt(o.generation, 10) {
		m.fail("get %q: generation %s, want %d", name, g, o.generation)
	}
}

func (m *apiModel) stat(name string) {
	o := m.objects[name]
	q, hold := m.conditions("", o)
	a, err := m.api.do("GET", m.api.object(name), q, nil)
	if o == nil || !hold {
		m.refused("stat "+q.Encode(), name, o != nil, a, err)
		return
	}
	m.compare("stat", name, o, a, err)
}

// compare takes an answer that must show o.
func (m *apiModel) compare(what, name string, o *modelled, a *answer, err error) {
	if err != nil || a.status != http.StatusOK {
		m.fail("%s %q: %v, %v", what, name, a, err)
		return
	}
	r, err := a.resource()
	if err != nil {
		m.fail("%s %q: %v", what, name, err)
		return
	}
	if d := o.differs(r); d != "" || r.Name != name {
		m.fail("%s %q: %s", what, name, d)
	}
}

// list lists below the client's prefix or a part of it, in pages of random size.
func (m *apiModel) list() {
	prefix := m.prefix
	if m.rnd.IntN(2) == 0 {
		name := m.names[m.rnd.IntN(len(m.names))]
		prefix = name[:len(m.prefix)+m.rnd.IntN(len(name)-len(m.prefix)+1)]
		for !utf8.ValidString(prefix) {
			prefix = prefix[:len(prefix)-1]
		}
	}
	q, delimiter := url.Values{"prefix": {prefix}}, ""
	if m.rnd.IntN(2) == 0 {
		delimiter = "/"
		q.Set("delimiter", delimiter)
	}
	if m.rnd.IntN(2) == 0 {
		q.Set("maxResults", strconv.Itoa(1+m.rnd.IntN(5)))
	}
	items, folders, err := m.api.list(q)
	if err != nil {
		m.fail("list %v: %v", q, err)
		return
	}
	want, wantFolders := map[string]*modelled{}, map[string]bool{}
	for name, o := range m.objects {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		if i := strings.Index(rest, "/"); delimiter != "" && i >= 0 {
			wantFolders[prefix+rest[:i+1]] = true
			continue
		}
		want[name] = o
	}
	if d := differs(want, items); d != "" {
		m.fail("list %v: %s", q, d)
	}
	if w := slices.Sorted(maps.Keys(wantFolders)); !slices.Equal(folders, w) {
		m.fail("list %v: prefixes %q, want %q", q, folders, w)
	}
}

func (m *apiModel) patch(name string) {
	o := m.objects[name]
	q, hold := m.conditions("", o)
	key, value := fmt.Sprint("k", m.rnd.IntN(3)), fmt.Sprint(m.rnd.IntN(1000))
	body, err := json.Marshal(map[string]any{"contentType": "x/" + value, "metadata": map[string]any{key: value, "Client": nil}})
	if err != nil {
		m.fail("%v", err)
		return
	}
	a, err := m.api.do("PATCH", m.api.object(name), q, body, "Content-Type", "application/json")
	if o == nil || !hold {
		m.refused("patch "+q.Encode(), name, o != nil, a, err)
		return
	}
	after := *o
	after.metageneration++
	after.contentType, after.metadata = "x/"+value, map[string]string{key: value}
	for k, v := range o.metadata {
		if k != key && k != "Client" {
			after.metadata[k] = v
		}
	}
	m.objects[name] = &after
	m.compare("patch", name, &after, a, err)
}

// copy copies or rewrites an object, with its attributes or with new ones.
func (m *apiModel) copy(name string) {
	from := m.names[m.rnd.IntN(8)]
	source := m.objects[from]
	sq, sourceHolds := m.conditions("Source", source)
	q, hold := m.conditions("", m.objects[name])
	maps.Copy(q, sq)
	verb, body := []string{"copyTo", "rewriteTo"}[m.rnd.IntN(2)], ""
	o := &modelled{}
	if source != nil {
		*o = *source
	}
	if m.rnd.IntN(3) == 0 {
		body = `{"contentType": "x/copied", "metadata": {"copied": "yes"}}`
		o.contentType, o.metadata = "x/copied", map[string]string{"copied": "yes"}
	}
	a, err := m.api.do("POST", m.api.object(from)+"/"+verb+"/b/"+m.api.bucket+"/o/"+url.PathEscape(name), q, []byte(body), "Content-Type", "application/json")
	if source == nil || !sourceHolds {
		m.refused(verb+" "+q.Encode(), from, source != nil, a, err)
		return
	}
	if err == nil && verb == "rewriteTo" && a.status == http.StatusOK {
		var r struct{ Resource json.RawMessage }
		if err := json.Unmarshal(a.body, &r); err != nil {
			m.fail("rewrite: %v", err)
			return
		}
		a.body = r.Resource
	}
	m.wrote(fmt.Sprintf("%s %s from %q to", verb, q.Encode(), from), name, o, hold, a, err)
}

func (m *apiModel) compose(name string) {
	q, _ := m.conditions("", m.objects[name])
	delete(q, "ifGenerationNotMatch") // compose knows the two that want a match
	delete(q, "ifMetagenerationNotMatch")
	hold := m.holds(q, m.objects[name])
	o := &modelled{contentType: "x/composed", composed: true}
	exist := true
	var sources []map[string]string
	for range 1 + m.rnd.IntN(4) {
		from := m.names[m.rnd.IntN(8)]
		sources = append(sources, map[string]string{"name": from})
		if source := m.objects[from]; source != nil {
			o.content += source.content
		} else {
			exist = false
		}
	}
	if len(o.content) > 2<<20 {
		return // else contents grow without end
	}
	body, err := json.Marshal(map[string]any{"sourceObjects": sources, "destination": map[string]string{"contentType": o.contentType}})
	if err != nil {
		m.fail("%v", err)
		return
	}
	a, err := m.api.do("POST", m.api.object(name)+"/compose", q, body, "Content-Type", "application/json")
	if !exist {
		m.refused("compose "+q.Encode(), name, false, a, err)
		return
	}
	m.wrote("compose "+q.Encode(), name, o, hold, a, err)
}

// holds checks the conditions that want a match.
func (m *apiModel) holds(q url.Values, o *modelled) bool {
	var generation, metageneration int64
	if o != nil {
		generation, metageneration = o.generation, o.metageneration
	}
	same := func(name string, have int64) bool { return !q.Has(name) || q.Get(name) == strconv.FormatInt(have, 10) }
	return same("ifGenerationMatch", generation) && same("ifMetagenerationMatch", metageneration)
}

func (m *apiModel) move(name string) {
	from := m.names[m.rnd.IntN(8)]
	if from == name {
		return
	}
	source := m.objects[from]
	sq, sourceHolds := m.conditions("Source", source)
	q, hold := m.conditions("", m.objects[name])
	maps.Copy(q, sq)
	a, err := m.api.do("POST", m.api.object(from)+"/moveTo/o/"+url.PathEscape(name), q, nil)
	if source == nil || !sourceHolds {
		m.refused("move "+q.Encode(), from, source != nil, a, err)
		return
	}
	o := *source
	m.wrote(fmt.Sprintf("move %s from %q to", q.Encode(), from), name, &o, hold, a, err)
	if hold {
		delete(m.objects, from)
	}
}

func (m *apiModel) delete(name string) {
	o := m.objects[name]
	q, hold := m.conditions("", o)
	a, err := m.api.do("DELETE", m.api.object(name), q, nil)
	if o == nil || !hold {
		m.refused("delete "+q.Encode(), name, o != nil, a, err)
		return
	}
	if err != nil || a.status != http.StatusNoContent {
		m.fail("delete %q: %v, %v", name, a, err)
		return
	}
	delete(m.objects, name)
}
