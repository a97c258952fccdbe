// Searches the Chinese site: node .ci/search.js DIRECTORY, the directory of the English site.
'use strict';
const fs = require('fs');
const vm = require('vm');

const page = vm.createContext({
    window: { search: {} },
    document: { getElementById: () => ({}) },
    MutationObserver: class {
        observe() {}
    },
});
for (const script of ['elasticlunr.min.js', 'search.js', 'searchindex.js']) {
    vm.runInContext(fs.readFileSync(`${process.argv[2]}/zh/${script}`, 'utf8'), page);
    page.elasticlunr ??= page.window.elasticlunr;
}
const { index, doc_urls: urls, search_options: options } = page.window.search;
const loaded = page.elasticlunr.Index.load(index);

for (const [words, expected] of [['线程池', 'tutorial/07'], ['粘包', 'faq.html'], ['ThreadPool', 'strategies.html']]) {
    const found = loaded.search(words, options).map((result) => urls[result.ref]);
    if (!found.some((url) => url.startsWith(expected)) || found.length > 15) {
        console.log(`the search for ${words} finds ${found.join(', ') || 'nothing'}`);
        process.exitCode = 1;
    }
}
