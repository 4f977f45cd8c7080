package page

import (
	"encoding/json"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// frame shows the page at a width, for a window has a least one, and writes down what
// the probe in it says, where the test reads it from the dump.
const frame = `<!doctype html><title>A window</title>
<iframe src="catalogue.html" style="border: 0; width: WIDTHpx; height: 900px"></iframe>
<script>
addEventListener('message', m => {
  const out = document.createElement('pre');
  out.id = 'probe';
  out.textContent = m.data;
  document.body.append(out);
});
</script>`

// probe is what the page is asked once it has been loaded.
const probe = `<script>
const found = {};
try {
  const shown = e => !!(e && e.getClientRects().length);
  const width = document.documentElement.clientWidth;
  found.width = width;
  found.overflow = document.documentElement.scrollWidth - width;
  found.drawing = shown(document.querySelector('svg.flow'));
  found.tree = shown(document.querySelector('.tree'));
  found.cut = [...document.querySelectorAll('svg.flow text')].filter(e => shown(e)).filter(e => {
    const box = e.closest('g').querySelector('rect').getBoundingClientRect(), text = e.getBoundingClientRect();
    return text.right > box.right + 1 || text.left < box.left - 1;
  }).map(e => e.textContent);
  const cards = () => [...document.querySelectorAll('article')].filter(shown).map(e => e.id);
  found.all = cards().length;
  const box = document.getElementById('find');
  found.search = shown(box);
  const search = words => { box.value = words; box.dispatchEvent(new Event('input')); return cards(); };
  found.refund = search('Refund history');
  found.nothing = search('zeppelin').length;
  found.told = shown(document.querySelector('.none'));
  document.getElementById('clear').click();
  found.again = cards().length;
} catch (e) { found.error = String(e); }
parent.postMessage(JSON.stringify(found), '*');
</script>`

var answer = regexp.MustCompile(`<pre id="probe">(.*)</pre>`)

type finding struct {
	Error, Answer                 string
	Width, Overflow, All, Nothing int
	Again                         int
	Drawing, Tree, Search, Told   bool
	Cut, Refund                   []string
}

// TestInBrowser opens the page in Chromium, at the width of a desktop and of a phone,
// and without its script.
func TestInBrowser(t *testing.T) {
	chromium := browser(t)
	open := func(t *testing.T, page, width string) finding {
		t.Helper()
		dir := t.TempDir()
		page = strings.Replace(page, "</body>", probe+"</body>", 1)
		for name, text := range map[string]string{"catalogue.html": page, "frame.html": strings.Replace(frame, "WIDTH", width, 1)} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.CommandContext(t.Context(), chromium, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--user-data-dir="+dir+"/profile",
			"--window-size=1400,1000", "--virtual-time-budget=5000", "--timeout=30000", "--dump-dom", "file://"+dir+"/frame.html")
		cmd.WaitDelay = 5 * time.Second
		dump, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v", chromium, err)
		}
		m := answer.FindSubmatch(dump)
		if m == nil {
			t.Fatalf("the page did not answer: %s", dump)
		}
		var f finding
		if err := json.Unmarshal([]byte(html.UnescapeString(string(m[1]))), &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	page := write(t)
	for width, narrow := range map[string]bool{"1280": false, "390": true} {
		t.Run(width, func(t *testing.T) {
			f := open(t, page, width)
			if f.Error != "" || fmt.Sprint(f.Width) != width || f.Overflow > 0 || len(f.Cut) > 0 {
				t.Errorf("error %q; the page is %d wider than its window of %d; text beyond its box: %q", f.Error, f.Overflow, f.Width, f.Cut)
			}
			if f.Drawing == narrow || f.Tree != narrow {
				t.Errorf("drawing %v, tree %v", f.Drawing, f.Tree)
			}
			if !f.Search || len(f.Refund) != 1 || f.Refund[0] != "payment.refunded.v1" || f.Nothing != 0 || !f.Told || f.Again != f.All || f.All < 18 {
				t.Errorf("search: %+v", f)
			}
		})
	}
	t.Run("without its script", func(t *testing.T) {
		// The probe's search finds nobody who answers; what is shown counts.
		f := open(t, strings.Replace(page, script, "", 1), "1280")
		if f.All < 18 || f.Search || !f.Drawing {
			t.Errorf("without its script the page shows %+v", f)
		}
	})
}

// browser finds a Chromium, or skips the test.
func browser(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("no Chromium here: install one (Debian: chromium) to see the page as readers do")
	return ""
}
