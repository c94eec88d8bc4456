// Templates as texts; tests/torch/jinja_parity.py compares with Jinja itself.

#include "jinja/template.h"

#include <gtest/gtest.h>

#include <string>

namespace chorus::jinja {
namespace {

namespace json = boost::json;

json::object given() {
  return {{"messages", json::array{{{"role", "user"}, {"content", "Hi "}},
                                   {{"role", "assistant"}, {"content", "Ho"}}}},
          {"eos_token", "</s>"},
          {"yes", true}};
}

Result<std::string> render(std::string_view source, const json::object& variables,
                           std::size_t most_bytes = 1000) {
  CHORUS_TRY(Template made, Template::parse(source));
  return made.render(variables, most_bytes);
}

std::string text(std::string_view source) {
  auto result = render(source, given());
  return result ? result.assume_value() : "ERROR " + result.assume_error().message;
}

TEST(JinjaTemplate, WritesWhatItsStatementsSay) {
  EXPECT_EQ(text("{% for m in messages %}{{ m.role }}: {{ m['content'] | trim }}{{ eos_token }}{% "
                 "endfor %}"),
            "user: Hi</s>assistant: Ho</s>");
  EXPECT_EQ(text("{% if messages[0].role == 'system' %}a{% elif yes and not missing %}b{% else "
                 "%}c{% endif %}"),
            "b");
  EXPECT_EQ(
      text("{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + loop.index %}"
           "{% set inner = 1 %}{% endfor %}{{ ns.n }}{{ inner }}"),
      "3");
  EXPECT_EQ(
      text(
          "{{ messages[1:] | length }}{{ messages[-1].content.upper() }}{{ 'x' if yes else 'y' }}"),
      "1HOx");
  EXPECT_EQ(text("{% for m in none_such %}a{% else %}empty{% endfor %}"), "empty");
  EXPECT_EQ(text("{{ -7 % 3 }} {{ -7 // 3 }} {{ yes }} {{ none }} {{ 'a\\n\\x41\\u00e9' }}"),
            "2 -3 True None a\nA\u00e9");
}

TEST(JinjaTemplate, TakesOffWhiteSpaceAsTransformersHasIt) {
  EXPECT_EQ(text("  {% if yes %}\n  a\n  {% endif %}\nb\n"), "  a\nb");
  EXPECT_EQ(text("a  {%- if yes -%}  b  {%- endif -%}  c"), "abc");
  EXPECT_EQ(text("a\n  {%+ if yes +%}\nb{% endif %}"), "a\n  \nb");
  EXPECT_EQ(text("a\r\n{# no #}\r\nb  {{- 'c' -}}  \n d\n\n"), "a\nbcd\n");
}

TEST(JinjaTemplate, NamesWhatIsNotDone) {
  const std::pair<const char*, const char*> refused[] = {
      {"{{ messages | tojson }}", "line 1: the filter tojson is not done here"},
      {"\n{% macro a() %}{% endmacro %}", "line 2: the statement macro is not done here"},
      {"{% include 'a' %}", "the statement include"},
      {"{{ strftime_now('%d') }}", "the function strftime_now"},
      {"{{ ''.__class__() }}", "the method __class__"},
      {"{{ a.items() }}", "the method items"},
      {"{{ loop.previtem }}", "loop.previtem"},
      {"{{ x is divisibleby(3) }}", "the test divisibleby"},
      {"{% for a, b in c %}{% endfor %}", "for with several variables"},
      {"{% for a in b if a %}{% endfor %}", "for with an if"},
      {"{{ {'a': 1} }}", "a dictionary"},
      {"{{ 1.5 }}", "a number that is not"},
      {"{{ messages[::-1] }}", "a slice with a step"}};
  for (const auto& [source, message] : refused) {
    auto parsed = Template::parse(source);
    ASSERT_FALSE(parsed) << source;
    EXPECT_EQ(parsed.assume_error().code, ErrorCode::kUnsupported) << source;
    EXPECT_NE(parsed.assume_error().message.find(message), std::string::npos)
        << parsed.assume_error().message;
  }
  for (const char* broken :
       {"{{", "{{ a", "{% if a %}", "{% endif %}", "{% else %}", "{{ a b }}", "{{ 'a }}", "{# a",
        "{% for in a %}{% endfor %}", "{% for a in b %}{% endif %}", "{{ }}", "{% %}", "{{ a + }}",
        "{{ ( a }}", "{{ ) }}", "{{ ! }}", "{{ and }}", "{% if %}{% endif %}"}) {
    auto parsed = Template::parse(broken);
    ASSERT_FALSE(parsed) << broken;
    EXPECT_EQ(parsed.assume_error().message.find("line 1: "), 0u) << parsed.assume_error().message;
  }
}

TEST(JinjaTemplate, TellsWhatATemplateRaisesInItsWords) {
  EXPECT_EQ(text("{{ raise_exception('roles must ' + 'alternate') }}"),
            "ERROR roles must alternate");
  EXPECT_EQ(text("\n{{ missing.content }}"), "ERROR line 2: content of what is undefined");
  EXPECT_EQ(text("{{ 'a' + 1 }}"), "ERROR line 1: a text + a number");
  EXPECT_EQ(text("{{ messages }}"), "ERROR line 1: writing a list is not done here");
  EXPECT_EQ(text("{{ '\u00e9'.upper() }}"),
            "ERROR line 1: upper of letters other than ASCII's is not done here");
}

TEST(JinjaTemplate, BoundsDepthWorkAndLength) {
  std::string deep;
  for (int i = 0; i < 10000; ++i) deep += "(";
  EXPECT_FALSE(Template::parse("{{ " + deep));
  deep.clear();
  for (int i = 0; i < 10000; ++i) deep += "{% if a %}";
  EXPECT_FALSE(Template::parse(deep));
  EXPECT_FALSE(Template::parse("{{ a" + std::string(10000, '-') + "1 }}"));
  std::string dots = "a";
  for (int i = 0; i < 10000; ++i) dots += ".a";
  EXPECT_FALSE(Template::parse("{{ " + dots + " }}"));

  EXPECT_NE(text("{% for m in messages %}0123456789{% endfor %}").find("01234567890"),
            std::string::npos);
  auto longer = render("{% for m in messages %}0123456789{% endfor %}", given(), 19);
  ASSERT_FALSE(longer);
  EXPECT_NE(longer.assume_error().message.find("more than 19 bytes"), std::string::npos);

  // Two to the number of messages, if it were let.
  json::object many = given();
  for (int i = 0; i < 1000; ++i)
    many["messages"].as_array().push_back({{"role", "user"}, {"content", "x"}});
  auto doubled = render(
      "{% set ns = namespace(t='x') %}{% for m in messages %}{% set ns.t = ns.t + ns.t %}{% endfor "
      "%}",
      many);
  ASSERT_FALSE(doubled);
  EXPECT_NE(doubled.assume_error().message.find("too much to do"), std::string::npos);
  // And the number of messages squared, cubed.
  auto cubed = render(
      "{% for a in messages %}{% for b in messages %}{% for c in messages %}{% endfor %}{% endfor "
      "%}{% endfor %}",
      many);
  ASSERT_FALSE(cubed);
  EXPECT_NE(cubed.assume_error().message.find("too much to do"), std::string::npos);
}

}  // namespace
}  // namespace chorus::jinja
