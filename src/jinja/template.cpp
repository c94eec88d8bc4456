#include "jinja/template.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "jinja/evaluate.h"
#include "jinja/expression.h"
#include "jinja/lexer.h"

namespace chorus::jinja {

namespace json = boost::json;

struct Statement;
struct Block {
  std::vector<Statement> statements;
};

struct Statement {
  enum class Kind { kText, kPrint, kIf, kFor, kSet };
  Kind kind = Kind::kText;
  std::size_t line = 1;
  std::string text = {};  // of kText; of kFor and kSet the variable
  std::string key = {};   // of kSet: in the namespace `text`; empty: the variable itself
  // kIf: a condition for each block, and perhaps one block more; kFor: what is walked through, and
  // one block, perhaps another for when that is empty; kSet, kPrint: the value.
  std::vector<Expression> expressions = {};
  std::vector<Block> blocks = {};
};

namespace {

constexpr int kDeepestBlocks = 32;  // in each other

class Parser {
 public:
  explicit Parser(std::vector<Piece> pieces) : pieces_(std::move(pieces)) {}

  Result<Block> run() {
    CHORUS_TRY(Block block, read_block());
    if (at_ < pieces_.size()) {
      return at_line(pieces_[at_].line, ErrorCode::kCorrupt, keyword() + " without its beginning");
    }
    return block;
  }

 private:
  // Of the statement at `at_`: "endfor".
  std::string keyword() const { return pieces_[at_].tokens[0].text; }
  bool is_statement(std::string_view word) const {
    return at_ < pieces_.size() && pieces_[at_].kind == Piece::Kind::kStatement &&
           pieces_[at_].tokens[0].is_name(word);
  }
  Error missing(std::size_t line, std::string_view what) const {
    return at_line(line, ErrorCode::kCorrupt, fmt::format("a block without its {}", what));
  }

  // Until a statement that ends a block.
  Result<Block> read_block() {
    if (++depth_ > kDeepestBlocks) {
      return at_line(pieces_[at_ - 1].line, ErrorCode::kUnsupported,
                     "blocks so deeply nested are not done here");
    }
    Block block;
    for (; at_ < pieces_.size(); ++at_) {
      const Piece& piece = pieces_[at_];
      if (piece.kind == Piece::Kind::kText) {
        block.statements.push_back(
            {.kind = Statement::Kind::kText, .line = piece.line, .text = piece.text});
      } else if (piece.kind == Piece::Kind::kPrint) {
        Statement print{.kind = Statement::Kind::kPrint, .line = piece.line};
        ExpressionParser parser(piece);
        CHORUS_TRY(print.expressions.emplace_back(), parser.expression());
        CHORUS_TRY(parser.end());
        block.statements.push_back(std::move(print));
      } else {
        constexpr std::array<std::string_view, 5> kEnds = {"endfor", "endif", "else", "elif",
                                                           "endgeneration"};
        bool is_end = false;
        for (std::string_view end : kEnds) is_end = is_end || is_statement(end);
        if (is_end) break;
        CHORUS_TRY(read_statement(block));
      }
    }
    --depth_;
    return block;
  }

  // `at_` is its first piece, and then its last.
  Result<void> read_statement(Block& block) {
    const Piece& piece = pieces_[at_];
    ExpressionParser parser(piece);
    if (parser.take_name("if")) return read_if(block, parser);
    if (parser.take_name("for")) return read_for(block, parser);
    if (parser.take_name("set")) return read_set(block, parser);
    if (parser.take_name("generation")) {  // marks what a model says, for training
      CHORUS_TRY(parser.end());
      ++at_;
      CHORUS_TRY(Block inside, read_block());
      CHORUS_TRY(expect_end("endgeneration", piece.line));
      for (Statement& one : inside.statements) block.statements.push_back(std::move(one));
      return ok();
    }
    if (parser.peek().kind != Token::Kind::kName) return parser.unexpected();
    return parser.not_done("the statement " + parser.peek().text);
  }

  Result<void> expect_end(std::string_view word, std::size_t begun) {
    if (!is_statement(word)) return missing(begun, word);
    ExpressionParser parser(pieces_[at_]);
    parser.take_name(word);
    return parser.end();
  }

  Result<void> read_if(Block& block, ExpressionParser& first) {
    Statement result{.kind = Statement::Kind::kIf, .line = pieces_[at_].line};
    CHORUS_TRY(result.expressions.emplace_back(), first.disjunction());
    CHORUS_TRY(first.end());
    while (true) {
      ++at_;
      CHORUS_TRY(result.blocks.emplace_back(), read_block());
      if (!is_statement("elif")) break;
      ExpressionParser next(pieces_[at_]);
      next.take_name("elif");
      CHORUS_TRY(result.expressions.emplace_back(), next.disjunction());
      CHORUS_TRY(next.end());
    }
    CHORUS_TRY(read_else(result));
    CHORUS_TRY(expect_end("endif", result.line));
    block.statements.push_back(std::move(result));
    return ok();
  }

  Result<void> read_else(Statement& statement) {
    if (!is_statement("else")) return ok();
    CHORUS_TRY(expect_end("else", statement.line));
    ++at_;
    CHORUS_TRY(statement.blocks.emplace_back(), read_block());
    return ok();
  }

  Result<void> read_for(Block& block, ExpressionParser& parser) {
    Statement result{.kind = Statement::Kind::kFor, .line = pieces_[at_].line};
    CHORUS_TRY(result.text, parser.name());
    if (parser.peek().is_operator(",")) return parser.not_done("for with several variables");
    if (!parser.take_name("in")) return parser.unexpected();
    CHORUS_TRY(result.expressions.emplace_back(), parser.disjunction());
    if (parser.peek().is_name("if")) return parser.not_done("for with an if");
    if (parser.peek().is_name("recursive")) return parser.not_done("for, recursive");
    CHORUS_TRY(parser.end());
    ++at_;
    CHORUS_TRY(result.blocks.emplace_back(), read_block());
    CHORUS_TRY(read_else(result));
    CHORUS_TRY(expect_end("endfor", result.line));
    block.statements.push_back(std::move(result));
    return ok();
  }

  Result<void> read_set(Block& block, ExpressionParser& parser) {
    Statement result{.kind = Statement::Kind::kSet, .line = pieces_[at_].line};
    CHORUS_TRY(result.text, parser.name());
    if (parser.take_operator(".")) {
      CHORUS_TRY(result.key, parser.name());
    }
    if (!parser.take_operator("=")) return parser.not_done("set other than set NAME = VALUE");
    CHORUS_TRY(result.expressions.emplace_back(), parser.expression());
    CHORUS_TRY(parser.end());
    block.statements.push_back(std::move(result));
    return ok();
  }

  std::vector<Piece> pieces_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

class Renderer {
 public:
  Renderer(const json::object& variables, std::size_t most_bytes)
      : evaluator_(variables), most_bytes_(most_bytes) {}

  Result<void> write(const Block& block) {
    for (const Statement& statement : block.statements) {
      CHORUS_TRY(evaluator_.spend(20, statement.line));
      CHORUS_TRY(write(statement));
    }
    return ok();
  }

  std::string take() { return std::move(out_); }

 private:
  Result<void> write(const Statement& statement) {
    using Kind = Statement::Kind;
    if (statement.kind == Kind::kText) return put(statement.text, statement.line);
    if (statement.kind == Kind::kIf) return write_if(statement);
    if (statement.kind == Kind::kFor) return write_for(statement);
    CHORUS_TRY(Value value, evaluator_.evaluate(statement.expressions[0]));
    if (statement.kind == Kind::kSet) {
      if (!statement.key.empty()) {
        return evaluator_.set_in(statement.text, statement.key, std::move(value), statement.line);
      }
      evaluator_.set(statement.text, std::move(value));
      return ok();
    }
    CHORUS_TRY(std::string text, evaluator_.text_of(value, statement.line));
    return put(text, statement.line);
  }

  Result<void> put(std::string_view text, std::size_t line) {
    if (text.size() > most_bytes_ - out_.size()) {
      return at_line(line, ErrorCode::kInvalidArgument,
                     fmt::format("the text would have more than {} bytes", most_bytes_));
    }
    out_ += text;
    return ok();
  }

  Result<void> write_if(const Statement& statement) {
    for (std::size_t i = 0; i < statement.expressions.size(); ++i) {
      CHORUS_TRY(Value condition, evaluator_.evaluate(statement.expressions[i]));
      if (Evaluator::is_true(condition)) return write(statement.blocks[i]);
    }
    return statement.blocks.size() > statement.expressions.size() ? write(statement.blocks.back())
                                                                  : ok();
  }

  Result<void> write_for(const Statement& statement) {
    CHORUS_TRY(Value all, evaluator_.evaluate(statement.expressions[0]));
    if (all && !all->is_array()) {
      return at_line(statement.line, ErrorCode::kUnsupported,
                     "for through anything but a list is not done here");
    }
    std::size_t count = all ? all->get_array().size() : 0;
    if (count == 0) return statement.blocks.size() > 1 ? write(statement.blocks[1]) : ok();
    for (std::size_t i = 0; i < count; ++i) {
      evaluator_.open_scope();
      evaluator_.set(statement.text, Value(all, &all->get_array()[i]));
      auto number = [](std::size_t value) { return static_cast<std::int64_t>(value); };
      evaluator_.set("loop", make_value({{"index", number(i + 1)},
                                         {"index0", number(i)},
                                         {"revindex", number(count - i)},
                                         {"revindex0", number(count - i - 1)},
                                         {"first", i == 0},
                                         {"last", i + 1 == count},
                                         {"length", number(count)}}));
      CHORUS_TRY(evaluator_.spend(500, statement.line));
      CHORUS_TRY(write(statement.blocks[0]));
      evaluator_.close_scope();
    }
    return ok();
  }

  Evaluator evaluator_;
  std::size_t most_bytes_;
  std::string out_;
};

}  // namespace

Result<Template> Template::parse(std::string_view source) {
  CHORUS_TRY(std::vector<Piece> pieces, split(source));
  CHORUS_TRY(Block block, Parser(std::move(pieces)).run());
  return Template(std::make_shared<const Block>(std::move(block)));
}

Result<std::string> Template::render(const json::object& variables, std::size_t most_bytes) const {
  Renderer renderer(variables, most_bytes);
  CHORUS_TRY(renderer.write(*block_));
  return renderer.take();
}

}  // namespace chorus::jinja
