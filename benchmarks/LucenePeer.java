import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.en.EnglishAnalyzer;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.StringField;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.Term;
import org.apache.lucene.search.BooleanClause.Occur;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.BoostQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.store.MMapDirectory;

/**
 * Answers searches with Lucene's BM25 and English analyzer, both as they come: CORPUS FOLDER
 * FIELD=WEIGHT... Lines of CORPUS are `id, title, text` with tabs between; a field is `title`,
 * `text` or `all`, which is both. Lines of standard input are a number of hits, a tab and a query.
 */
public class LucenePeer {
  private static final Analyzer ENGLISH = new EnglishAnalyzer();

  public static void main(String[] args) throws Exception {
    MMapDirectory directory = new MMapDirectory(Paths.get(args[1]));
    try (IndexWriter writer = new IndexWriter(directory, new IndexWriterConfig(ENGLISH));
        BufferedReader lines = Files.newBufferedReader(Paths.get(args[0]))) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] parts = line.split("\t", -1);
        Document document = new Document();
        document.add(new StringField("id", parts[0], Field.Store.YES));
        document.add(new TextField("title", parts[1], Field.Store.NO));
        document.add(new TextField("text", parts[2], Field.Store.NO));
        document.add(new TextField("all", parts[1] + " " + parts[2], Field.Store.NO));
        writer.addDocument(document);
      }
      writer.forceMerge(1);
    }
    Map<String, Float> fields = new LinkedHashMap<>();
    for (int place = 2; place < args.length; place++) {
      String[] pair = args[place].split("=");
      fields.put(pair[0], Float.parseFloat(pair[1]));
    }
    answer(new IndexSearcher(DirectoryReader.open(directory)), fields);
  }

  private static void answer(IndexSearcher searcher, Map<String, Float> fields) throws Exception {
    BufferedReader lines =
        new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    out.println("ready");
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] parts = line.split("\t", 2);
      StringBuilder ids = new StringBuilder();
      for (ScoreDoc hit : searcher.search(query(parts[1], fields), Integer.parseInt(parts[0])).scoreDocs) {
        ids.append(searcher.storedFields().document(hit.doc).get("id")).append('\t');
      }
      out.println(ids);
    }
  }

  private static BooleanQuery query(String text, Map<String, Float> fields) throws Exception {
    Map<String, Integer> words = new LinkedHashMap<>();
    try (TokenStream stream = ENGLISH.tokenStream("", text)) {
      CharTermAttribute word = stream.addAttribute(CharTermAttribute.class);
      stream.reset();
      while (stream.incrementToken()) {
        words.merge(word.toString(), 1, Integer::sum);
      }
      stream.end();
    }
    BooleanQuery.Builder any = new BooleanQuery.Builder();
    words.forEach(
        (word, count) ->
            fields.forEach(
                (field, weight) -> {
                  TermQuery term = new TermQuery(new Term(field, word));
                  any.add(new BoostQuery(term, weight * count), Occur.SHOULD);
                }));
    return any.build();
  }
}
