(() => {
  const box = document.getElementById('find');
  const entries = [...document.querySelectorAll('article[data-search]')];
  const lines = [...document.querySelectorAll('[data-entry]')];
  const none = document.querySelector('.none');
  box.parentElement.hidden = false;

  const find = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = new Set();
    for (const e of entries) {
      const there = words.every(w => e.dataset.search.includes(w));
      e.hidden = !there;
      if (there) found.add(e.id);
    }
    for (const l of lines) l.hidden = !found.has(l.dataset.entry);
    for (const g of document.querySelectorAll('.publisher, .side .group')) {
      g.hidden = !g.querySelector('article:not([hidden]), [data-entry]:not([hidden])');
    }
    document.body.classList.toggle('searching', words.length > 0);
    none.hidden = found.size > 0;
  };
  box.addEventListener('input', find);
  box.addEventListener('keydown', e => { if (e.key === 'Escape') { box.value = ''; find(); } });
  document.getElementById('clear').addEventListener('click', () => { box.value = ''; find(); box.focus(); });
  document.addEventListener('keydown', e => {
    if (e.key === '/' && document.activeElement !== box) { e.preventDefault(); box.focus(); }
  });
  if (matchMedia('(max-width: 900px)').matches) document.querySelector('.contents').open = false;
  // A link to what the search hides shows it again.
  addEventListener('hashchange', () => {
    const to = document.getElementById(location.hash.slice(1));
    if (to && to.hidden) { box.value = ''; find(); to.scrollIntoView(); }
  });
  if (navigator.clipboard) {
    for (const b of document.querySelectorAll('.copy')) {
      b.hidden = false;
      b.addEventListener('click', () => navigator.clipboard.writeText(b.nextElementSibling.textContent).then(() => {
        b.textContent = 'Copied';
        setTimeout(() => { b.textContent = 'Copy'; }, 1500);
      }));
    }
  }
})();
