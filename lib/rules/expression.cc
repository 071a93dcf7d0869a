#include "expression.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "base/text.h"
#include "rules/regex_literals.h"

namespace imds::rules {
namespace {

using event::FieldId;

// A keyword is looked for in everything that came from the wire as text. The host and the user
// agent stand among the headers.
constexpr std::array kKeywordFields{FieldId::url, FieldId::request_headers,
                                    FieldId::http_request_method, FieldId::url_domain};

// What the answer says, or another packet than the request's.
bool may_differ_in_answer(FieldId field) {
  switch (field) {
    case FieldId::imds_event:
    case FieldId::http_version:
    case FieldId::imds_visibility:
    case FieldId::imds_tunnel_path:
    case FieldId::imds_tunnel_id:
    case FieldId::imds_tunnel_source_ip:
    case FieldId::imds_tunnel_destination_ip:
    case FieldId::network_vlan_id:
    case FieldId::timestamp:
    case FieldId::ip_ttl:
      return true;
    default:
      return (event::describe(field).events & event::bit(event::EventType::http_request)) == 0;
  }
}

// Says where a request goes or what it asks for; the rest is much the same for all of them.
bool singles_out(FieldId field) {
  switch (field) {
    case FieldId::source_ip:
    case FieldId::source_mac:
    case FieldId::destination_ip:
    case FieldId::destination_mac:
    case FieldId::url:
    case FieldId::url_path:
    case FieldId::url_query:
    case FieldId::url_domain:
    case FieldId::url_extension:
    case FieldId::user_agent:
    case FieldId::request_headers:
    case FieldId::request_header:
    case FieldId::http_host:
    case FieldId::imds_endpoint:
    case FieldId::imds_client_kind:
    case FieldId::imds_version:
    case FieldId::imds_forwarded:
      return true;
    default:
      return false;
  }
}

// Keywords are looked for in the method, too, where nothing but a rare one fits them.
bool fits_ordinary_method(const Atom& atom) {
  constexpr std::array<std::string_view, 8> kOrdinary{"GET",    "POST",    "HEAD",    "PUT",
                                                      "DELETE", "OPTIONS", "CONNECT", "PATCH"};
  if (atom.kind == Atom::Kind::text) {
    return std::any_of(kOrdinary.begin(), kOrdinary.end(),
                       [&](std::string_view method) { return atom.glob.matches(method); });
  }
  const std::vector<std::string> needed =
      required_literals(atom.regex_text, [](const std::string& literal) { return literal; });
  return atom.kind != Atom::Kind::regex || needed.empty() ||
         std::any_of(needed.begin(), needed.end(), [&](const std::string& literal) {
           return std::any_of(kOrdinary.begin(), kOrdinary.end(), [&](std::string_view method) {
             return matches_wildcards(method, '*' + literal + '*', LetterCase::ignored);
           });
         });
}

class Builder {
 public:
  Builder(const sigma::Rule& rule, AtomTable& atoms, StoryFields story_fields,
          AnswerFields answer_fields)
      : rule_(rule), atoms_(atoms), story_fields_(story_fields), answer_fields_(answer_fields) {}

  Result<BuiltExpression> build() {
    Expression root = group(false);
    for (const sigma::Condition& condition : rule_.conditions) {
      add(root, build(condition, false));
      if (error_) {
        return tl::unexpected<Error>(std::move(*error_));
      }
    }
    return BuiltExpression{std::move(root), compares_story_};
  }

 private:
  // A conjunction, or seen through a negation a disjunction (De Morgan).
  static Expression group(bool conjunction) {
    Expression out;
    out.kind = conjunction ? Expression::Kind::all : Expression::Kind::any;
    return out;
  }

  static void add(Expression& parent, Expression child) {
    if (child.kind == parent.kind) {
      for (Expression& operand : child.operands) {
        parent.operands.push_back(std::move(operand));
      }
      return;
    }
    parent.operands.push_back(std::move(child));
  }

  static Expression constant(bool value) {
    Expression out;
    out.kind = Expression::Kind::constant;
    out.value = value;
    return out;
  }

  Expression leaf(AtomId atom, bool negated, sigma::Position position) {
    if (++leaves_ > kMaxLeavesPerRule) {
      set_error(position, "rule '" + rule_.id + "' makes more than " +
                              std::to_string(kMaxLeavesPerRule) +
                              " comparisons; split it or name each selection once");
    }
    Expression out;
    out.kind = Expression::Kind::leaf;
    out.atom = atom;
    out.negated = negated;
    return out;
  }

  void set_error(sigma::Position position, std::string message) {
    if (!error_) {
      error_ = Error{ErrorKind::config, std::move(message), rule_.where(position)};
    }
  }

  Expression build(const sigma::Condition& condition, bool negated) {
    using Kind = sigma::Condition::Kind;
    switch (condition.kind) {
      case Kind::selection:
        return build(rule_.selections[condition.selection], negated);
      case Kind::negation:
        return build(condition.operands.front(), !negated);
      case Kind::conjunction:
      case Kind::disjunction:
        break;
    }
    Expression out = group((condition.kind == Kind::conjunction) != negated);
    for (const sigma::Condition& operand : condition.operands) {
      if (error_) {
        break;
      }
      add(out, build(operand, negated));
    }
    return out;
  }

  Expression build(const sigma::Selection& selection, bool negated) {
    Expression any = group(negated);
    for (const std::vector<sigma::FieldMatch>& matches : selection.groups) {
      Expression all = group(!negated);
      for (const sigma::FieldMatch& match : matches) {
        if (error_) {
          return all;
        }
        add(all, build(match, negated != match.negated));
      }
      add(any, std::move(all));
    }
    return any;
  }

  Expression build(const sigma::FieldMatch& match, bool negated) {
    Expression out = group(match.all != negated);
    for (const sigma::Value& value : match.values) {
      if (error_) {
        break;
      }
      Expression any = group(negated);
      add(any, build(match, value, negated));
      for (const sigma::Value& other : value.others) {
        add(any, build(match, other, negated));
      }
      add(out, std::move(any));
    }
    return out;
  }

  Expression build(const sigma::FieldMatch& match, const sigma::Value& value, bool negated) {
    if (match.field) {
      Expression one =
          compare(match, {*match.field, match.header}, match.operation, value, negated);
      const bool has_text =
          value.kind != sigma::Value::Kind::null && value.kind != sigma::Value::Kind::boolean;
      if (!match.also || !has_text) {
        return one;
      }
      Expression either = group(negated);
      add(either, std::move(one));
      add(either, compare(match, {*match.also, {}}, match.operation, value, negated));
      return either;
    }
    if (value.kind != sigma::Value::Kind::pattern && value.kind != sigma::Value::Kind::regex) {
      return constant(negated);
    }
    Expression out = group(negated);
    for (const FieldId field : kKeywordFields) {
      add(out, compare(match, {field, {}}, sigma::Operation::contains, value, negated));
    }
    return out;
  }

  // Absent where the event is of no story (event::has_story), and then a comparison is false.
  Expression assume(sigma::Position position, bool negated) {
    if (negated) {
      return constant(true);
    }
    Expression out = group(false);
    add(out, leaf(atoms_.present({FieldId::imds_endpoint, {}}), false, position));
    for (const event::EventType type : event::kAlwaysOfStory) {
      const sigma::Pattern name{
          {{sigma::PatternToken::Kind::literal, std::string(event::name(type))}}};
      const AtomId is_it =
          atoms_.text({FieldId::imds_event, {}}, sigma::Operation::equals, false, name);
      add(out, leaf(is_it, false, position));
    }
    return out;
  }

  // Whether the comparison is of what only the story knows.
  bool is_of_story(const event::FieldRef& field, const sigma::Value& value) {
    if (value.kind == sigma::Value::Kind::field &&
        (event::is_of_story(field.id) || event::is_of_story(value.other.id))) {
      set_error(value.position,
                "imds.stage, imds.timeline and imds.reached cannot be compared with another "
                "field; expected a text");
    }
    return event::is_of_story(field.id);
  }

  Expression compare(const sigma::FieldMatch& match, const event::FieldRef& field,
                     sigma::Operation operation, const sigma::Value& value, bool negated) {
    if (is_of_story(field, value)) {
      compares_story_ = true;
      if (story_fields_ == StoryFields::assumed) {
        const bool wants_absence = value.kind == sigma::Value::Kind::null ||
                                   (value.kind == sigma::Value::Kind::boolean && !value.boolean);
        return assume(value.position, negated != wants_absence);
      }
    }
    if (answer_fields_ == AnswerFields::assumed &&
        (may_differ_in_answer(field.id) ||
         (value.kind == sigma::Value::Kind::field && may_differ_in_answer(value.other.id)))) {
      return constant(true);
    }
    if (atoms_.size() >= kMaxAtoms) {
      set_error(value.position, "more than " + std::to_string(kMaxAtoms) +
                                    " different comparisons in all rules together");
    }
    switch (value.kind) {
      case sigma::Value::Kind::null:
        return leaf(atoms_.present(field), !negated, value.position);
      case sigma::Value::Kind::boolean:
        return leaf(atoms_.present(field), negated == value.boolean, value.position);
      case sigma::Value::Kind::number:
        return leaf(atoms_.number(field, operation, match.time_part, value.number), negated,
                    value.position);
      case sigma::Value::Kind::prefix:
        return leaf(atoms_.prefix(field, value.prefix), negated, value.position);
      case sigma::Value::Kind::regex:
        return compare_regex(match, field, value, negated);
      case sigma::Value::Kind::field:
        return leaf(atoms_.reference(field, operation, match.cased, value.other), negated,
                    value.position);
      case sigma::Value::Kind::pattern:
        break;
    }
    check_size(value);
    return leaf(atoms_.text(field, operation, match.cased, value.pattern), negated, value.position);
  }

  Expression compare_regex(const sigma::FieldMatch& match, const event::FieldRef& field,
                           const sigma::Value& value, bool negated) {
    const auto atom = atoms_.regex(field, value, match.regex_options);
    if (!atom) {
      set_error(value.position, atom.error().message);
      return constant(negated);
    }
    return leaf(*atom, negated, value.position);
  }

  void check_size(const sigma::Value& value) {
    std::size_t bytes = 0;
    for (const sigma::PatternToken& token : value.pattern.tokens) {
      bytes += token.kind == sigma::PatternToken::Kind::literal ? token.text.size() : 1;
    }
    if (bytes > kMaxPatternTextBytes) {
      set_error(value.position, "string of " + std::to_string(bytes) + " bytes; the limit is " +
                                    std::to_string(kMaxPatternTextBytes));
    }
  }

  const sigma::Rule& rule_;
  AtomTable& atoms_;
  StoryFields story_fields_;
  AnswerFields answer_fields_;
  bool compares_story_ = false;
  std::size_t leaves_ = 0;
  std::optional<Error> error_;
};

Cover make(Cover::Kind kind) {
  Cover out;
  out.kind = kind;
  return out;
}

Cover cover_leaf(const Expression& leaf, const AtomTable& atoms, event::EventType type,
                 const AtomCost& cost) {
  const Outcome known = outcome(atoms[leaf.atom], type);
  if (known != Outcome::depends) {
    return make((known == Outcome::always) != leaf.negated ? Cover::Kind::always
                                                           : Cover::Kind::never);
  }
  if (leaf.negated) {
    return make(Cover::Kind::none);
  }
  const std::optional<double> price = cost(leaf.atom);
  if (!price) {
    return make(Cover::Kind::none);
  }
  Cover out = make(Cover::Kind::indexed);
  out.cost = *price;
  out.atoms = {leaf.atom};
  return out;
}

// For a conjunction any operand's cover will do: a whole one before a partial, then the cheapest.
bool is_better(const Cover& a, const Cover& b) {
  if (a.kind != Cover::Kind::indexed) {
    return a.kind == Cover::Kind::none && b.kind == Cover::Kind::always;
  }
  if (b.kind != Cover::Kind::indexed || a.partial != b.partial) {
    return b.kind != Cover::Kind::indexed || b.partial;
  }
  return a.cost < b.cost;
}

Cover cover_all(const Expression& expression, const AtomTable& atoms, event::EventType type,
                const AtomCost& cost, Alternatives alternatives) {
  Cover best = make(Cover::Kind::always);
  for (const Expression& operand : expression.operands) {
    Cover part = cover(operand, atoms, type, cost, alternatives);
    if (part.kind == Cover::Kind::never) {
      return part;
    }
    if (is_better(part, best)) {
      best = std::move(part);
    }
  }
  return best;
}

Cover cover_any(const Expression& expression, const AtomTable& atoms, event::EventType type,
                const AtomCost& cost, Alternatives alternatives) {
  Cover sum = make(Cover::Kind::never);
  bool uncovered = false;
  for (const Expression& operand : expression.operands) {
    Cover part = cover(operand, atoms, type, cost, alternatives);
    switch (part.kind) {
      case Cover::Kind::never:
        break;
      case Cover::Kind::always:
        if (alternatives == Alternatives::all_indexed) {
          return part;
        }
        uncovered = true;
        break;
      case Cover::Kind::none:
        uncovered = true;
        break;
      case Cover::Kind::indexed:
        sum.kind = Cover::Kind::indexed;
        sum.cost += part.cost;
        sum.partial = sum.partial || part.partial;
        sum.atoms.insert(sum.atoms.end(), part.atoms.begin(), part.atoms.end());
        break;
    }
  }
  if (uncovered && (alternatives == Alternatives::all_indexed || sum.kind == Cover::Kind::never)) {
    return make(Cover::Kind::none);
  }
  sum.partial = sum.partial || uncovered;
  return sum;
}

}  // namespace

Result<BuiltExpression> build_expression(const sigma::Rule& rule, AtomTable& atoms,
                                         StoryFields story_fields, AnswerFields answer_fields) {
  return Builder(rule, atoms, story_fields, answer_fields).build();
}

Result<Expression> read_request_part(const sigma::Rule& rule, AtomTable& atoms) {
  Result<BuiltExpression> built =
      build_expression(rule, atoms, StoryFields::assumed, AnswerFields::assumed);
  if (!built) {
    return pass_on(built);
  }
  const AtomCost cost = [&](AtomId id) {
    const Atom& atom = atoms[id];
    const bool tells = (atom.kind != Atom::Kind::present && singles_out(atom.field)) ||
                       (atom.field == FieldId::http_request_method && !fits_ordinary_method(atom));
    return tells || atom.field == FieldId::imds_endpoint ? std::optional(1.0) : std::nullopt;
  };
  const Cover found = cover(built->expression, atoms, event::EventType::http_request, cost,
                            Alternatives::all_indexed);
  if (found.kind == Cover::Kind::always || found.kind == Cover::Kind::none) {
    return fail_at(ErrorKind::config, rule.where(),
                   "this rule compares answers, but nothing of their requests that would single "
                   "them out, so every answer on the network would have to be read; name a part of "
                   "the URL, a header, a host or an address that the requests must have");
  }
  return std::move(built->expression);
}

Cover cover(const Expression& expression, const AtomTable& atoms, event::EventType type,
            const AtomCost& cost, Alternatives alternatives) {
  switch (expression.kind) {
    case Expression::Kind::leaf:
      return cover_leaf(expression, atoms, type, cost);
    case Expression::Kind::all:
      return cover_all(expression, atoms, type, cost, alternatives);
    case Expression::Kind::any:
      return cover_any(expression, atoms, type, cost, alternatives);
    case Expression::Kind::constant:
      break;
  }
  return make(expression.value ? Cover::Kind::always : Cover::Kind::never);
}

void for_each_leaf(const Expression& expression,
                   const std::function<void(const Expression&)>& visit) {
  if (expression.kind == Expression::Kind::leaf) {
    visit(expression);
  }
  for (const Expression& operand : expression.operands) {
    for_each_leaf(operand, visit);
  }
}

}  // namespace imds::rules
