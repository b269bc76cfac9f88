// What Kubernetes itself reads: thousands of quantities and image references with the verdict and the value that its own
// libraries give them. `just golden` runs this and writes quantities.txt and images.txt; tests/golden.rs compares podfit
// with them.
package main

import (
	"bufio"
	// As the kubelet does: an algorithm of digests is known where it is linked.
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/json"
	"fmt"
	"log"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/distribution/reference"
	"gopkg.in/inf.v0"
	"k8s.io/apimachinery/pkg/api/resource"
)

// The same texts on every run.
var random = rand.New(rand.NewPCG(2026, 11))

func main() {
	write("quantities.txt", quantities(), quantity)
	write("images.txt", images(), image)
}

// One row per text: what Go makes of it, or `refused`; a tab; the text as JSON.
func write(name string, texts []string, read func(string) string) {
	file, err := os.Create(name)
	if err != nil {
		log.Fatal(err)
	}
	rows := bufio.NewWriter(file)
	seen := map[string]bool{}
	for _, text := range texts {
		if seen[text] {
			continue
		}
		seen[text] = true
		quoted, err := json.Marshal(text)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprintf(rows, "%s\t%s\n", read(text), quoted)
	}
	if err := rows.Flush(); err != nil {
		log.Fatal(err)
	}
	if err := file.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(name, len(seen))
}

// The amount in billionths, saturating at 128 bits.
func quantity(text string) string {
	quantity, err := resource.ParseQuantity(text)
	if err != nil {
		return "refused"
	}
	return nano(quantity.AsDec()).String()
}

func nano(amount *inf.Dec) *big.Int {
	most := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 127), big.NewInt(1))
	sign := big.NewInt(int64(amount.Sign()))
	unscaled := new(big.Int).Abs(amount.UnscaledBig())
	power := 9 - int64(amount.Scale())
	switch {
	case amount.Sign() == 0:
		return sign
	// No power of ten that a text writes out can bring such an amount back.
	case power > 100:
		return sign.Mul(sign, most)
	case power >= 0:
		unscaled.Mul(unscaled, tenTo(power))
	default:
		// Amounts are rounded to billionths, up, while they are read; an amount of a short text keeps its zeros.
		rest := new(big.Int)
		unscaled.QuoRem(unscaled, tenTo(-power), rest)
		if rest.Sign() != 0 {
			log.Fatalf("%v is finer than a billionth", amount)
		}
	}
	if unscaled.Cmp(most) > 0 {
		unscaled = most
	}
	return sign.Mul(sign, unscaled)
}

func tenTo(power int64) *big.Int {
	return new(big.Int).Exp(big.NewInt(10), big.NewInt(power), nil)
}

// The reference with its implied parts, then tag and digest, each empty where there is none.
func image(text string) string {
	named, err := reference.ParseNormalizedNamed(text)
	if err != nil {
		return "refused"
	}
	tag, digest := "", ""
	if tagged, ok := named.(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		digest = digested.Digest().String()
	}
	return fmt.Sprintf("%s %s %s", named, tag, digest)
}

func quantities() []string {
	texts := upToTwo("0159.+-eEmkMKGTPinu_ ")
	numbers := []string{
		"", "0", "00", "1", "5", "007", "10", "64", "100", "250", "1000", "1024", "2048", "0.1", "1.5", ".5", "5.", ".",
		"0.0000000001", "1.0000000001", "0.123456789123456789", "123456789.987654321", "9223372036854775807",
		"9223372036854775808", "18446744073709551616", "99999999999999999999999999999999999999999999", "1..2", "1,5",
	}
	suffixes := []string{
		"", "n", "u", "m", "k", "K", "M", "G", "T", "P", "E", "Ki", "ki", "Mi", "mi", "Gi", "Ti", "Pi", "Ei", "Zi", "e",
		"e0", "e1", "E3", "e+2", "e-2", "E-9", "e-10", "e18", "e40", "e-40", "e3k", "e 1", "e1.5", "MB", "MiB", "i", "x1F",
		"e99", "e-99",
	}
	for _, number := range numbers {
		for _, suffix := range suffixes {
			for _, sign := range []string{"", "-"} {
				texts = append(texts, sign+number+suffix)
			}
		}
	}
	// Of 64 bits it keeps the lower 32. Others as large take Go minutes; podfit's own tests have them.
	texts = append(texts, "1e4294967296", "5E4294967299", "1e-4294967296", "1e9223372036854775808")
	for range 4000 {
		text := pick("", "", "", "+", "-") + digits(20) + pick("", "", "."+digits(25), ".") + pick(suffixes...)
		if random.IntN(4) == 0 {
			text = bent(text, "0123456789.+-eEinumkMGTP Kµ")
		}
		texts = append(texts, text)
	}
	return texts
}

func images() []string {
	texts := upToTwo("aZ09.-_/:@[]")
	hex := strings.Repeat("0123456789abcdef", 4)
	domains := choice{
		good: []string{"", "", "docker.io/", "index.docker.io/", "localhost/", "localhost:5000/", "r.example.com/",
			"r.example.com:443/", "R/", "r/", "10.0.0.1/", "[::1]/", "[fe80::1]:5000/", "a.b_c/"},
		bad: []string{"[fe80::1%eth0]/", "r_x.example.com:1/", "-r.example.com/", "r.example.com:/", "r.example.com:x/",
			"https://r.example.com/", "a..b/", "é.example.com/"},
	}
	paths := choice{
		good: []string{"app", "a", "team/app", "team/sub/app", "a_b", "a__b", "a-b", "a---b", "a.b", "0", "library/app", hex[1:]},
		bad:  []string{"", "a___b", "a..b", "a-", "-a", "a_.b", "App", "team/App", "a//b", "a/", hex, "a b", "ä"},
	}
	tags := choice{
		good: []string{"", "", ":latest", ":1.27", ":_", ":A.b-c_", ":0"},
		bad:  []string{":", ":-", ":.", ":a:b", ":5000/app", ":ä", ":a+b"},
	}
	digests := choice{
		good: []string{"", "", "", "@sha256:" + hex},
		bad: []string{"@", "@sha256:" + hex[1:], "@sha256:" + hex + "0", "@sha256:" + strings.ToUpper(hex), "@sha256:" + hex[:32],
			"@md5:" + hex[:32], "@sha256+b64:" + hex, "@sha256:" + hex + "@sha256:" + hex},
	}
	for _, domain := range domains.all() {
		for _, path := range paths.all() {
			texts = append(texts, domain+path)
		}
	}
	for range 3000 {
		text := domains.one() + paths.one() + tags.one() + digests.one()
		if random.IntN(4) == 0 {
			text = bent(text, "aA0.-_/:@[] %")
		}
		texts = append(texts, text)
	}
	// Around the bounds, with what counts towards them and what does not.
	for _, domain := range domains.all() {
		for _, length := range []int{247, 248, 255, 256, 255 - len(domain), 256 - len(domain)} {
			texts = append(texts, domain+strings.Repeat("p", length))
		}
		texts = append(texts, domain+"t/"+strings.Repeat("p", 253), domain+"t/"+strings.Repeat("p", 254))
	}
	for _, length := range []int{127, 128, 129} {
		texts = append(texts, "app:"+strings.Repeat("t", length))
	}
	for _, algorithm := range []string{"sha256", "sha384", "sha512", "SHA512", "sha1"} {
		for _, length := range []int{32, 40, 64, 96, 128} {
			texts = append(texts, "app@"+algorithm+":"+strings.Repeat("0", length))
		}
	}
	return texts
}

// Parts of a text: one text can have several, so that most of them have to be good.
type choice struct{ good, bad []string }

func (choice choice) all() []string {
	return append(append([]string{}, choice.good...), choice.bad...)
}

func (choice choice) one() string {
	if random.IntN(10) == 0 {
		return pick(choice.bad...)
	}
	return pick(choice.good...)
}

// All texts of an alphabet that are at most two characters long.
func upToTwo(alphabet string) []string {
	texts := []string{""}
	for _, one := range alphabet {
		texts = append(texts, string(one))
		for _, other := range alphabet {
			texts = append(texts, string(one)+string(other))
		}
	}
	return texts
}

func digits(most int) string {
	var text strings.Builder
	for range random.IntN(most + 1) {
		text.WriteString(pick("0", "0", "0", "1", "2", "5", "9"))
	}
	return text.String()
}

// A text with a character taken out, put in, or replaced.
func bent(text, alphabet string) string {
	characters := []rune(text)
	at := random.IntN(len(characters) + 1)
	until := min(len(characters), at+random.IntN(2))
	between := []rune(alphabet)[random.IntN(len([]rune(alphabet)))]
	return string(characters[:at]) + pick("", string(between)) + string(characters[until:])
}

func pick(texts ...string) string {
	return texts[random.IntN(len(texts))]
}
