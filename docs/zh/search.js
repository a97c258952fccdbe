// Makes the search find Chinese words. The index of mdBook has words between spaces, and Chinese text has no spaces.
// Here, each pair of neighbouring characters is a word, in the text and in the search field.
(() => {
    'use strict';
    const WORDS = /\p{Script=Han}+|[\p{L}\p{N}_]+/gu;
    const HAN = /\p{Script=Han}/u;

    function words(text) {
        const found = [];
        for (const [word] of String(text ?? '').toLowerCase().matchAll(WORDS)) {
            if (HAN.test(word) && word.length > 1) {
                for (let start = 0; start + 1 < word.length; start++) {
                    found.push(word.slice(start, start + 2));
                }
            } else {
                found.push(word);
            }
        }
        return found;
    }

    // The line above the results.
    const header = document.getElementById('searchresults-header');
    new MutationObserver(() => {
        const found = header.textContent.match(/^(No|\d+) search results? for '(.*)'/);
        if (found) {
            header.textContent = `“${found[2]}”：${found[1] === 'No' ? '没有找到' : `${found[1]} 条结果`}`;
        }
    }).observe(header, { childList: true });

    // mdBook loads its index by this function.
    elasticlunr.Index.load = (saved) => {
        elasticlunr.tokenizer = words;
        const index = new elasticlunr.Index();
        index.setRef(saved.ref);
        saved.fields.forEach((field) => index.addField(field));
        for (const section of Object.values(saved.documentStore.docs)) {
            // A teaser consists of words between spaces.
            index.addDoc({ ...section, body: section.body.replace(/[，。；：]/gu, '$& ') });
        }
        return index;
    };
})();
